from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Tree(_message.Message):
    __slots__ = ("leaf", "none", "list", "tuple", "dict", "named_tuple")
    class Leaf(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Empty(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Sequence(_message.Message):
        __slots__ = ("children",)
        CHILDREN_FIELD_NUMBER: _ClassVar[int]
        children: _containers.RepeatedCompositeFieldContainer[Tree]
        def __init__(self, children: _Optional[_Iterable[_Union[Tree, _Mapping]]] = ...) -> None: ...
    class Mapping(_message.Message):
        __slots__ = ("keys", "children")
        KEYS_FIELD_NUMBER: _ClassVar[int]
        CHILDREN_FIELD_NUMBER: _ClassVar[int]
        keys: _containers.RepeatedScalarFieldContainer[str]
        children: _containers.RepeatedCompositeFieldContainer[Tree]
        def __init__(self, keys: _Optional[_Iterable[str]] = ..., children: _Optional[_Iterable[_Union[Tree, _Mapping]]] = ...) -> None: ...
    class NamedTuple(_message.Message):
        __slots__ = ("type_name", "fields", "children")
        TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
        FIELDS_FIELD_NUMBER: _ClassVar[int]
        CHILDREN_FIELD_NUMBER: _ClassVar[int]
        type_name: str
        fields: _containers.RepeatedScalarFieldContainer[str]
        children: _containers.RepeatedCompositeFieldContainer[Tree]
        def __init__(self, type_name: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., children: _Optional[_Iterable[_Union[Tree, _Mapping]]] = ...) -> None: ...
    LEAF_FIELD_NUMBER: _ClassVar[int]
    NONE_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    TUPLE_FIELD_NUMBER: _ClassVar[int]
    DICT_FIELD_NUMBER: _ClassVar[int]
    NAMED_TUPLE_FIELD_NUMBER: _ClassVar[int]
    leaf: Tree.Leaf
    none: Tree.Empty
    list: Tree.Sequence
    tuple: Tree.Sequence
    dict: Tree.Mapping
    named_tuple: Tree.NamedTuple
    def __init__(self, leaf: _Optional[_Union[Tree.Leaf, _Mapping]] = ..., none: _Optional[_Union[Tree.Empty, _Mapping]] = ..., list: _Optional[_Union[Tree.Sequence, _Mapping]] = ..., tuple: _Optional[_Union[Tree.Sequence, _Mapping]] = ..., dict: _Optional[_Union[Tree.Mapping, _Mapping]] = ..., named_tuple: _Optional[_Union[Tree.NamedTuple, _Mapping]] = ...) -> None: ...

from pullback.v1 import tensor_pb2 as _tensor_pb2
from pullback.v1 import tree_pb2 as _tree_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Program(_message.Message):
    __slots__ = ("format_version", "stable_hlo", "formula", "stable_hlo_module", "jax_export", "onnx", "signature", "producer", "max_trips")
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    STABLE_HLO_FIELD_NUMBER: _ClassVar[int]
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    STABLE_HLO_MODULE_FIELD_NUMBER: _ClassVar[int]
    JAX_EXPORT_FIELD_NUMBER: _ClassVar[int]
    ONNX_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    MAX_TRIPS_FIELD_NUMBER: _ClassVar[int]
    format_version: int
    stable_hlo: StableHlo
    formula: Formula
    stable_hlo_module: StableHloModule
    jax_export: JaxExport
    onnx: Onnx
    signature: Signature
    producer: Producer
    max_trips: int
    def __init__(self, format_version: _Optional[int] = ..., stable_hlo: _Optional[_Union[StableHlo, _Mapping]] = ..., formula: _Optional[_Union[Formula, _Mapping]] = ..., stable_hlo_module: _Optional[_Union[StableHloModule, _Mapping]] = ..., jax_export: _Optional[_Union[JaxExport, _Mapping]] = ..., onnx: _Optional[_Union[Onnx, _Mapping]] = ..., signature: _Optional[_Union[Signature, _Mapping]] = ..., producer: _Optional[_Union[Producer, _Mapping]] = ..., max_trips: _Optional[int] = ...) -> None: ...

class StableHlo(_message.Message):
    __slots__ = ("entry", "modules", "constants")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    CONSTANTS_FIELD_NUMBER: _ClassVar[int]
    entry: bytes
    modules: _containers.RepeatedScalarFieldContainer[bytes]
    constants: _containers.RepeatedCompositeFieldContainer[Constant]
    def __init__(self, entry: _Optional[bytes] = ..., modules: _Optional[_Iterable[bytes]] = ..., constants: _Optional[_Iterable[_Union[Constant, _Mapping]]] = ...) -> None: ...

class Constant(_message.Message):
    __slots__ = ("type", "digest")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    type: _tensor_pb2.TensorType
    digest: str
    def __init__(self, type: _Optional[_Union[_tensor_pb2.TensorType, _Mapping]] = ..., digest: _Optional[str] = ...) -> None: ...

class Formula(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    def __init__(self, source: _Optional[str] = ...) -> None: ...

class StableHloModule(_message.Message):
    __slots__ = ("module", "argument_names")
    MODULE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_NAMES_FIELD_NUMBER: _ClassVar[int]
    module: bytes
    argument_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, module: _Optional[bytes] = ..., argument_names: _Optional[_Iterable[str]] = ...) -> None: ...

class JaxExport(_message.Message):
    __slots__ = ("artifact", "argument_names")
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_NAMES_FIELD_NUMBER: _ClassVar[int]
    artifact: bytes
    argument_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, artifact: _Optional[bytes] = ..., argument_names: _Optional[_Iterable[str]] = ...) -> None: ...

class Onnx(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: bytes
    def __init__(self, model: _Optional[bytes] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("arguments", "result", "result_leaves")
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RESULT_LEAVES_FIELD_NUMBER: _ClassVar[int]
    arguments: _containers.RepeatedCompositeFieldContainer[Argument]
    result: _tree_pb2.Tree
    result_leaves: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorType]
    def __init__(self, arguments: _Optional[_Iterable[_Union[Argument, _Mapping]]] = ..., result: _Optional[_Union[_tree_pb2.Tree, _Mapping]] = ..., result_leaves: _Optional[_Iterable[_Union[_tensor_pb2.TensorType, _Mapping]]] = ...) -> None: ...

class Argument(_message.Message):
    __slots__ = ("name", "tree", "leaves")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    name: str
    tree: _tree_pb2.Tree
    leaves: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorType]
    def __init__(self, name: _Optional[str] = ..., tree: _Optional[_Union[_tree_pb2.Tree, _Mapping]] = ..., leaves: _Optional[_Iterable[_Union[_tensor_pb2.TensorType, _Mapping]]] = ...) -> None: ...

class Producer(_message.Message):
    __slots__ = ("name", "version", "dependencies")
    class DependenciesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    dependencies: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., dependencies: _Optional[_Mapping[str, str]] = ...) -> None: ...

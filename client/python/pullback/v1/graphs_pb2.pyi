from pullback.v1 import evaluation_pb2 as _evaluation_pb2
from pullback.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetGraphRequest(_message.Message):
    __slots__ = ("function", "wants", "batch", "shared_leaves", "depth", "merge_trivial", "compiled_cost", "sizes")
    class SizesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    SHARED_LEAVES_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    MERGE_TRIVIAL_FIELD_NUMBER: _ClassVar[int]
    COMPILED_COST_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    function: str
    wants: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.Want]
    batch: int
    shared_leaves: _containers.RepeatedScalarFieldContainer[int]
    depth: int
    merge_trivial: bool
    compiled_cost: bool
    sizes: _containers.ScalarMap[str, int]
    def __init__(self, function: _Optional[str] = ..., wants: _Optional[_Iterable[_Union[_evaluation_pb2.Want, _Mapping]]] = ..., batch: _Optional[int] = ..., shared_leaves: _Optional[_Iterable[int]] = ..., depth: _Optional[int] = ..., merge_trivial: bool = ..., compiled_cost: bool = ..., sizes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class GetGraphResponse(_message.Message):
    __slots__ = ("revision", "graph")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    revision: str
    graph: Graph
    def __init__(self, revision: _Optional[str] = ..., graph: _Optional[_Union[Graph, _Mapping]] = ...) -> None: ...

class Graph(_message.Message):
    __slots__ = ("nodes", "edges", "regions", "total", "uncounted", "compiled")
    NODES_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNCOUNTED_FIELD_NUMBER: _ClassVar[int]
    COMPILED_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    regions: _containers.RepeatedCompositeFieldContainer[Region]
    total: Cost
    uncounted: _containers.RepeatedScalarFieldContainer[str]
    compiled: Cost
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., regions: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., total: _Optional[_Union[Cost, _Mapping]] = ..., uncounted: _Optional[_Iterable[str]] = ..., compiled: _Optional[_Union[Cost, _Mapping]] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("kind", "name", "region", "results", "cost", "runs", "scope", "attributes", "literals", "rule")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Node.Kind]
        KIND_ARGUMENT: _ClassVar[Node.Kind]
        KIND_CONSTANT: _ClassVar[Node.Kind]
        KIND_OPERATION: _ClassVar[Node.Kind]
        KIND_RESULT: _ClassVar[Node.Kind]
    KIND_UNSPECIFIED: Node.Kind
    KIND_ARGUMENT: Node.Kind
    KIND_CONSTANT: Node.Kind
    KIND_OPERATION: Node.Kind
    KIND_RESULT: Node.Kind
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LiteralsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    LITERALS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    kind: Node.Kind
    name: str
    region: int
    results: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorType]
    cost: Cost
    runs: int
    scope: str
    attributes: _containers.ScalarMap[str, str]
    literals: _containers.ScalarMap[int, str]
    rule: Rule
    def __init__(self, kind: _Optional[_Union[Node.Kind, str]] = ..., name: _Optional[str] = ..., region: _Optional[int] = ..., results: _Optional[_Iterable[_Union[_tensor_pb2.TensorType, _Mapping]]] = ..., cost: _Optional[_Union[Cost, _Mapping]] = ..., runs: _Optional[int] = ..., scope: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., literals: _Optional[_Mapping[int, str]] = ..., rule: _Optional[_Union[Rule, _Mapping]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("origin", "name")
    class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORIGIN_UNSPECIFIED: _ClassVar[Rule.Origin]
        ORIGIN_EXPORTED: _ClassVar[Rule.Origin]
        ORIGIN_LIBRARY: _ClassVar[Rule.Origin]
        ORIGIN_LIFTED: _ClassVar[Rule.Origin]
    ORIGIN_UNSPECIFIED: Rule.Origin
    ORIGIN_EXPORTED: Rule.Origin
    ORIGIN_LIBRARY: Rule.Origin
    ORIGIN_LIFTED: Rule.Origin
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    origin: Rule.Origin
    name: str
    def __init__(self, origin: _Optional[_Union[Rule.Origin, str]] = ..., name: _Optional[str] = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("source", "result", "target", "operand")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    OPERAND_FIELD_NUMBER: _ClassVar[int]
    source: int
    result: int
    target: int
    operand: int
    def __init__(self, source: _Optional[int] = ..., result: _Optional[int] = ..., target: _Optional[int] = ..., operand: _Optional[int] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("owner", "name", "trips")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRIPS_FIELD_NUMBER: _ClassVar[int]
    owner: int
    name: str
    trips: int
    def __init__(self, owner: _Optional[int] = ..., name: _Optional[str] = ..., trips: _Optional[int] = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("flops", "transcendentals", "bytes_read", "bytes_written")
    FLOPS_FIELD_NUMBER: _ClassVar[int]
    TRANSCENDENTALS_FIELD_NUMBER: _ClassVar[int]
    BYTES_READ_FIELD_NUMBER: _ClassVar[int]
    BYTES_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    flops: int
    transcendentals: int
    bytes_read: int
    bytes_written: int
    def __init__(self, flops: _Optional[int] = ..., transcendentals: _Optional[int] = ..., bytes_read: _Optional[int] = ..., bytes_written: _Optional[int] = ...) -> None: ...

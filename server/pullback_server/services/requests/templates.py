"""What was made of requests is kept, so that the next one that looks alike costs a look-up.

Two requests of one tenant look alike if their heads are the same bytes and their tensors have the same types,
as they came.
What was made holds as long as names mean what they meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from google.protobuf.message import DecodeError

from pullback.codec.evaluation import Request
from pullback.codec.tensors import Shared
from pullback.program.tensors import TensorType
from pullback.v1 import evaluation_pb2 as pb
from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Data, Evaluation, Kind
from pullback_server.model.memory import Place
from pullback_server.registry.names import key_of, parse_name, revision_name
from pullback_server.registry.registry import Registry
from pullback_server.services.requests.evaluations import Checked, check_evaluation
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.tensors import NARROW, check_values
from pullback_server.sharing.segments import Segments, not_shared

_Key = tuple[object, ...]
_MOST_TENSORS: Final = 256
_LONGEST_HEAD: Final = 4096


@dataclass(frozen=True, slots=True)
class Template:
    """What requests that look alike have in common.

    Attributes:
        generation: That of the registry by which the name was resolved.
        revision: The name of the revision.
        kind: The kind of the evaluation.
        points: The size of the batch; None where nothing is batched.
        narrow: The inputs whose values must be looked at: number, type and path.
    """

    generation: object
    revision: str
    kind: Kind
    points: int | None
    narrow: tuple[tuple[int, TensorType, str], ...]


class Templates:
    """Checks requests, the first of its look in full, and makes evaluations of them.

    Args:
        registry: Where functions are found.
        limits: The server's limits.
        segments: The memory that clients have handed over.
        most: Of how many looks of requests what was made is kept.
    """

    def __init__(
        self, registry: Registry, limits: Limits, segments: Segments | None = None, most: int = 4096
    ) -> None:
        self._registry = registry
        self._limits = limits
        self._segments = segments
        self._most = most
        self._templates: dict[_Key, Template] = {}
        self._kinds: WeakValueDictionary[_Key, Kind] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._templates)

    def evaluation(self, request: Request, tenant: str = "") -> tuple[str, Evaluation]:
        """The name of the revision that a request means, and the evaluation that it asks for.

        Args:
            request: The request.
            tenant: Who asks: the same name means another function to another tenant.

        Raises:
            ServiceError: SEGMENT_NOT_FOUND, FUNCTION_NOT_FOUND, REVISION_NOT_FOUND, STORED_PROGRAM_DAMAGED,
                and what `check_evaluation` raises.
        """
        head, arguments, tangents, cotangents, results = request
        inputs: list[Data] = []
        looks = []
        for element, shape, data, shared in arguments + tangents + cotangents:
            elements = data if shared is None else self._place(shared)
            inputs.append(elements)
            looks.append((element, shape, len(elements)))
        key = (tenant, head, len(arguments), len(tangents), *looks)
        template = self._templates.get(key)
        if template is None or template.generation is not self._registry.generation:
            template = self._make(request, tenant, inputs, key)
        for number, type_, path in template.narrow:
            check_values(inputs[number], type_, path)
        place = None if results is None else self._place(results)
        return template.revision, Evaluation(template.kind, tuple(inputs), template.points, place)

    def _place(self, shared: Shared) -> Place:
        """Where the elements lie of a tensor that is not in the message.

        What is checked of them here is checked again where it counts: the client may change them meanwhile.
        """
        if self._segments is None:
            raise not_shared(shared.segment)
        return self._segments.place(*shared)

    def _make(self, request: Request, tenant: str, inputs: Sequence[Data], key: _Key) -> Template:
        generation = self._registry.generation
        head = _parsed(request.head)
        registered = self._registry.resolve(parse_name(head.function, tenant), tenant)
        checked = check_evaluation(request, inputs, head.wants, registered, self._limits)
        template = Template(
            generation,
            revision_name(key_of(registered.function), registered.revision.digest, tenant),
            self._interned(checked.kind),
            checked.points,
            tuple(_narrow(checked)),
        )
        if len(request.head) <= _LONGEST_HEAD and len(inputs) <= _MOST_TENSORS:
            self._keep(key, template)
        return template

    def _interned(self, kind: Kind) -> Kind:
        """The kind that equal ones have become, as long as anybody has it."""
        content = (kind.digest, kind.wants, kind.arguments, kind.tangents, kind.cotangents, kind.batched)
        return self._kinds.setdefault(content, kind)

    def _keep(self, key: _Key, template: Template) -> None:
        self._templates.pop(key, None)
        if len(self._templates) >= self._most:
            del self._templates[next(iter(self._templates))]
        self._templates[key] = template


def _parsed(head: bytes) -> pb.EvaluateRequest:
    try:
        return pb.EvaluateRequest.FromString(head)
    except DecodeError as error:
        raise service_error(Reason.MALFORMED_REQUEST, f"the request cannot be read: {error}") from error


def _narrow(checked: Checked) -> list[tuple[int, TensorType, str]]:
    types = checked.kind.types(checked.points)
    triples = zip(range(len(types)), types, checked.paths, strict=True)
    return [(number, type_, path) for number, type_, path in triples if type_.element in NARROW]

"""What is kept of requests that look alike, and when it holds no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sharing_memory import sealed

from pullback.codec.evaluation import Request, decode_request
from pullback.codec.tensors import Shared, Tensor
from pullback.program.container import Formula, Producer, Program
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.v1 import evaluation_pb2 as pb
from pullback.v1 import tensor_pb2
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.memory import Place, Segment
from pullback_server.registry.names import Key
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.templates import Templates
from pullback_server.sharing.segments import Bounds, Segments

Make = Callable[..., tensor_pb2.Tensor]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with the function f of f64[3] and i1[2]."""
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", program("sum(x)")))
        yield registry


@pytest.fixture
def templates(registry: Registry, limits: Limits) -> Templates:
    """Nothing is kept yet."""
    return Templates(registry, limits)


def program(text: str) -> Program:
    """A formula of f64[3] and i1[2]."""
    types = {"x": "f64[3]", "on": "i1[2]"}
    arguments = tuple(Argument(name, LEAF, (parse_tensor_type(text),)) for name, text in types.items())
    signature = Signature(arguments, Result(LEAF, (parse_tensor_type("f64[]"),)))
    return Program(Formula(text), signature, Producer())


@pytest.fixture
def request_(tensor: Make) -> Callable[..., Request]:
    """Makes a request for the value of f."""

    def make(*shape: int, name: str = "functions/f", flags: bytes = b"\1\0", **fields: Any) -> Request:
        tensors = [tensor(*(shape or (3,)), **fields), tensor(2, dtype="bool", data=flags)]
        wants = [pb.Want(quantity=pb.QUANTITY_VALUE)]
        message = pb.EvaluateRequest(function=name, wants=wants, arguments=tensors)
        return decode_request(message.SerializeToString())

    return make


def reason(templates: Templates, request: Request) -> Reason:
    """Why a request is refused."""
    with pytest.raises(ServiceError) as caught:
        templates.evaluation(request)
    return caught.value.reason


def test_the_same_bytes_of_two_tenants(registry: Registry, templates: Templates, request_: Any) -> None:
    """Each means its own function, one after the other, and a tenant without one has none."""
    for tenant, source in (("red", "sum(2 * x)"), ("blue", "sum(3 * x)")):
        registry.register(Registration("f", program(source), tenant=tenant))
    asked = request_()
    for _ in range(2):
        digests = {
            tenant: templates.evaluation(asked, tenant)[1].kind.digest for tenant in ("", "red", "blue")
        }
        assert len(set(digests.values())) == 3
        assert (
            templates.evaluation(request_(name="tenants/red/functions/f"), "red")[1].kind.digest
            == digests["red"]
        )
        with pytest.raises(ServiceError):
            templates.evaluation(asked, "green")
    assert templates.evaluation(asked, "red")[0] == f"functions/f/revisions/{digests['red']}"


def test_a_revoked_grant_leaves_no_template(registry: Registry, templates: Templates, request_: Any) -> None:
    """What was made while it held is not used any more; names of others are told in their long form."""
    registry.register(Registration("g", program("sum(2 * x)"), tenant="red"))
    asked = request_(name="tenants/red/functions/g")
    registry.grant(Key("red", "g"), "blue")
    revision, evaluation = templates.evaluation(asked, "blue")
    assert revision == f"tenants/red/functions/g/revisions/{evaluation.kind.digest}"
    registry.revoke(Key("red", "g"), "blue")
    for name in ("tenants/red/functions/g", revision):
        with pytest.raises(ServiceError) as caught:
            templates.evaluation(request_(name=name), "blue")
        assert caught.value.reason is Reason.FUNCTION_NOT_FOUND


def test_alike_requests_have_one_kind(templates: Templates, request_: Any) -> None:
    """The same kind, whatever the values, the number of points and the spelling of the name are."""
    revision, first = templates.evaluation(request_())
    assert revision == f"functions/f/revisions/{first.kind.digest}"
    assert templates.evaluation(request_(data=b"12345678" * 3))[1].kind is first.kind
    assert templates.evaluation(request_(name=revision))[1].kind is first.kind
    batches = [templates.evaluation(request_(points, 3))[1] for points in (5, 0, 5)]
    assert [batch.points for batch in batches] == [5, 0, 5]
    assert len({id(batch.kind) for batch in batches}) == 1
    assert batches[0].kind is not first.kind
    assert (first.kind.batched, batches[0].kind.batched) == (None, (True, False))


def test_elements_arrive_as_they_came(templates: Templates, request_: Any) -> None:
    """The inputs of the second request are its own."""
    templates.evaluation(request_())
    _, evaluation = templates.evaluation(request_(data=b"12345678" * 3, flags=b"\1\1"))
    assert evaluation.inputs == (b"12345678" * 3, b"\1\1")


def test_names_are_resolved_anew(templates: Templates, registry: Registry, request_: Any) -> None:
    """A new revision counts from the next request on, and so does the end of a function."""
    _, before = templates.evaluation(request_())
    revision = registry.register(Registration("f", program("sum(2 * x)"))).revision
    name, after = templates.evaluation(request_())
    assert after.kind.digest == revision.digest != before.kind.digest
    assert name.endswith(revision.digest)
    registry.register(Registration("g", program("sum(x)")))
    assert templates.evaluation(request_())[1].kind is after.kind
    registry.delete(Key("", "f"))
    assert reason(templates, request_()) is Reason.FUNCTION_NOT_FOUND


def test_what_does_not_fit_is_refused_each_time(templates: Templates, request_: Any) -> None:
    """A request that fits does not open the door for one that does not."""
    templates.evaluation(request_())
    for _ in range(2):
        assert reason(templates, request_(data=b"1234567")) is Reason.MALFORMED_REQUEST
        assert reason(templates, request_(4)) is Reason.SHAPE_MISMATCH
        assert reason(templates, request_(3, dtype="float32")) is Reason.ELEMENT_TYPE_MISMATCH
        assert reason(templates, request_(flags=b"\1\2")) is Reason.MALFORMED_REQUEST
        assert reason(templates, request_(21, 3)) is Reason.BATCH_TOO_LARGE
        assert reason(templates, request_(name="functions/none")) is Reason.FUNCTION_NOT_FOUND


def test_groups_of_tensors_are_told_apart(templates: Templates, request_: Any) -> None:
    """The same tensors as arguments and tangents, or as arguments alone, are different requests."""
    fits = request_()
    templates.evaluation(fits)
    first, second = fits.arguments
    moved = fits._replace(arguments=(first,), tangents=(second,))
    assert reason(templates, moved) is Reason.ARGUMENT_COUNT_MISMATCH


def test_malformed_heads(templates: Templates) -> None:
    """A head that is no message is refused, as the whole request would be."""
    assert reason(templates, Request(b"\x0a\x01\xff", ())) is Reason.MALFORMED_REQUEST


def ignore(segment: Segment) -> None:
    """Nobody computes here."""
    del segment


def test_shared_memory(registry: Registry, limits: Limits, request_: Any) -> None:
    """Tensors lie where the request says, results may, and the same look has the same kind."""
    segments = Segments(Bounds(1 << 20, 1 << 20), ignore, ignore)
    segment = segments.add(sealed(4096), 4096, 1)
    number = segment.number
    segment.memory[:24] = np.arange(3.0).view(np.uint8)
    segment.memory[64] = 1
    request = request_()
    arguments = (
        Tensor(request.arguments[0].element, (3,), b"", Shared(number, 0, 24)),
        Tensor(request.arguments[1].element, (2,), b"", Shared(number, 64, 2)),
    )
    shared = request._replace(arguments=arguments, results=Shared(number, 128, 8))
    templates = Templates(registry, limits, segments)
    kind = templates.evaluation(request)[1].kind
    evaluation = templates.evaluation(shared)[1]
    assert evaluation.kind is kind
    assert evaluation.inputs == (Place(segment, 0, 24), Place(segment, 64, 2))
    assert evaluation.results == Place(segment, 128, 8)
    segment.memory[65] = 2
    assert reason(templates, shared) is Reason.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Shared(1, 0, 24), Reason.SEGMENT_NOT_FOUND),
        (Shared(0, 0, 24), Reason.SEGMENT_NOT_FOUND),
        (Shared(-1, 8, 24), Reason.MALFORMED_REQUEST),
        (Shared(-1, 4096, 24), Reason.MALFORMED_REQUEST),
        (Shared(-1, (1 << 64) - 64, 128), Reason.MALFORMED_REQUEST),
    ],
)
def test_places_that_are_not_there(
    registry: Registry, limits: Limits, request_: Any, place: Shared, expected: Reason
) -> None:
    """Memory that nobody has handed over can neither be read nor written, nor what lies beside it."""
    segments = Segments(Bounds(1 << 20, 1 << 20), ignore, ignore)
    number = segments.add(sealed(4096), 4096, 1).number
    place = place._replace(segment=number) if place.segment < 0 else place
    templates, request = Templates(registry, limits, segments), request_()
    tensor = Tensor(15, (3,), b"", place)
    moved = (request._replace(arguments=(tensor, request.arguments[1])), request._replace(results=place))
    assert [reason(templates, each) for each in moved] == [expected] * 2


def test_lengths_of_shared_tensors(registry: Registry, limits: Limits, request_: Any) -> None:
    """A place must have as many bytes as the tensor's type."""
    segments = Segments(Bounds(1 << 20, 1 << 20), ignore, ignore)
    number = segments.add(sealed(4096), 4096, 1).number
    request = request_()
    tensor = Tensor(15, (3,), b"", Shared(number, 0, 32))
    refused = request._replace(arguments=(tensor, request.arguments[1]))
    assert reason(Templates(registry, limits, segments), refused) is Reason.MALFORMED_REQUEST


def test_servers_without_shared_memory(templates: Templates, request_: Any) -> None:
    """Where nothing can be handed over, no memory is known."""
    request = request_()._replace(results=Shared(1, 0, 8))
    assert reason(templates, request) is Reason.SEGMENT_NOT_FOUND


def test_what_is_kept_is_bounded(registry: Registry, limits: Limits, request_: Any) -> None:
    """Of requests that all look different only so many are remembered."""
    templates = Templates(registry, limits, most=3)
    request = request_()
    for number in range(5):
        unknown = b"\x12\x04\x08\x01\x48" + bytes([number])
        templates.evaluation(request._replace(head=b"\x0a\x0bfunctions/f" + unknown))
    assert len(templates) == 3

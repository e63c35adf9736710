"""Requests against signatures: what fits becomes an evaluation, what does not has its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from unit.services.checking import check_evaluation

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback.v1 import evaluation_pb2, tensor_pb2
from pullback_server.errors import Code, Reason, ServiceError
from pullback_server.model.evaluation import Outcome, Tensor, Timing
from pullback_server.model.functions import Registered
from pullback_server.model.quantities import Mode, Quantity, Want
from pullback_server.services.requests.evaluations import check_compilation, check_outcome
from pullback_server.services.requests.limits import Limits

Make = Callable[..., Registered]
MakeTensor = Callable[..., tensor_pb2.Tensor]


def want(quantity: str, **fields: Any) -> evaluation_pb2.Want:
    """One want."""
    return evaluation_pb2.Want(quantity=f"QUANTITY_{quantity}", **fields)


def asked(*wants: evaluation_pb2.Want, **tensors: Any) -> evaluation_pb2.EvaluateRequest:
    """A request."""
    return evaluation_pb2.EvaluateRequest(function="functions/f", wants=wants, **tensors)


def refusal(request: evaluation_pb2.EvaluateRequest, function: Registered, limits: Limits) -> ServiceError:
    """The error of a request that is refused."""
    with pytest.raises(ServiceError) as caught:
        check_evaluation(request, function, limits)
    return caught.value


@pytest.fixture
def mixed(registered: Make) -> Registered:
    """A function of a dict with an integer leaf, a matrix and a flag, with one real scalar result."""
    return registered("f64[]", params={"n": "i32[2]", "w": "f64[3]"}, a="f64[2,3]", flag="i1[]")


def test_point(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """A point has no batch; the tensors keep their bytes."""
    function = registered("f64[]", x="f64[3]", y="f32[]")
    request = asked(want("VALUE"), arguments=[tensor(3, data=b"12345678" * 3), tensor(dtype="float32")])
    evaluation = check_evaluation(request, function, limits)
    assert (evaluation.points, evaluation.kind.digest) == (None, function.revision.digest)
    assert evaluation.kind.wants == (Want(Quantity.VALUE),)
    assert bytes(evaluation.inputs[0]) == b"12345678" * 3


@pytest.mark.parametrize("points", [0, 1, 5])
def test_batch(registered: Make, tensor: MakeTensor, limits: Limits, points: int) -> None:
    """A batched and a shared argument; a batch may be empty."""
    function = registered("f64[]", x="f64[3]", y="f64[]")
    request = asked(want("GRADIENT"), arguments=[tensor(3), tensor(points)])
    assert check_evaluation(request, function, limits).points == points


@pytest.mark.parametrize(
    ("given", "argnums"),
    [
        (want("VALUE"), ()),
        (want("GRADIENT"), (0,)),
        (want("HESSIAN"), (0,)),
        (want("JVP"), (0, 1)),
        (want("VJP"), (0, 1)),
        (want("HVP"), (0,)),
        (want("JACOBIAN", argnums=[1, 0]), (1, 0)),
    ],
)
def test_default_argnums(
    registered: Make,
    tensor: MakeTensor,
    limits: Limits,
    given: evaluation_pb2.Want,
    argnums: tuple[int, ...],
) -> None:
    """JVP and VJP take all arguments, the others the first, as in JAX; what is given stays in its order."""
    function = registered("f64[]", x="f64[3]", y="f64[2]")
    request = asked(given, arguments=[tensor(3), tensor(2)])
    if given.quantity == evaluation_pb2.QUANTITY_JVP:
        request.tangents.extend([tensor(3), tensor(2)])
    if given.quantity == evaluation_pb2.QUANTITY_HVP:
        request.tangents.extend([tensor(3)])
    if given.quantity == evaluation_pb2.QUANTITY_VJP:
        request.cotangents.extend([tensor()])
    assert check_evaluation(request, function, limits).kind.wants[0].argnums == argnums


def test_modes_and_orders(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """A Jacobian's mode and a derivative's order arrive."""
    function = registered("f64[2]", x="f64[3]")
    wants = [want("JACOBIAN", mode="MODE_REVERSE"), want("DERIVATIVE", order=3)]
    evaluation = check_evaluation(asked(*wants, arguments=[tensor(3)]), function, limits)
    assert evaluation.kind.wants == (
        Want(Quantity.JACOBIAN, Mode.REVERSE, 0, (0,)),
        Want(Quantity.DERIVATIVE, Mode.PLANNED, 3, (0,)),
    )


def test_modes_directions_and_sparse(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """Modes in their order; tangents with an axis of directions; entries with coordinates."""
    function = registered("f64[]", x="f64[3]")
    wants = [
        want("HESSIAN", modes=["MODE_REVERSE", "MODE_FORWARD"]),
        want("GGN_VP", directions=4),
        want("HESSIAN", sparse=True),
    ]
    request = asked(*wants, arguments=[tensor(3)], tangents=[tensor(2, 4, 3)])
    evaluation = check_evaluation(request, function, limits)
    assert evaluation.kind.wants == (
        Want(Quantity.HESSIAN, argnums=(0,), modes=(Mode.REVERSE, Mode.FORWARD)),
        Want(Quantity.GGN_VP, argnums=(0,), directions=4),
        Want(Quantity.HESSIAN, argnums=(0,), sparse=True),
    )
    assert evaluation.points == 2
    request.tangents[0].CopyFrom(tensor(3))
    assert "must be f64[4,3]" in refusal(request, function, limits).message


def test_outcomes_that_are_too_large(limits: Limits) -> None:
    """How large sparse results are is known only when they are there."""
    types = (TensorType(ElementType.F64, (1000,)), TensorType(ElementType.I32, (1000,)))
    tensors = tuple(Tensor(kind, bytes(kind.nbytes)) for kind in types)
    check_outcome(Outcome((tensors[:1],), Timing()), limits)
    with pytest.raises(ServiceError, match="12000 bytes") as caught:
        check_outcome(Outcome((tensors,), Timing()), limits)
    assert caught.value.reason is Reason.RESULT_TOO_LARGE


def test_directions_pass_over_integers(mixed: Registered, tensor: MakeTensor, limits: Limits) -> None:
    """JVP takes a tangent for each differentiable leaf of its arguments, in the order of argnums."""
    arguments = [tensor(2, dtype="int32"), tensor(3), tensor(2, 3), tensor(dtype="bool")]
    request = asked(want("JVP", argnums=[1, 0]), arguments=arguments, tangents=[tensor(7, 2, 3), tensor(3)])
    evaluation = check_evaluation(request, mixed, limits)
    kind = evaluation.kind
    tangents = kind.types(7)[len(kind.arguments) :]
    assert [each.shape for each in tangents] == [(7, 2, 3), (3,)]
    assert evaluation.points == 7


def test_cotangents_by_leaf(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """VJP takes a cotangent for each differentiable leaf of the result, named by its path."""
    function = registered({"a": "f64[2]", "n": "i64[]", "z": ["f32[]"]}, x="f64[3]")
    good = asked(want("VJP"), arguments=[tensor(3)], cotangents=[tensor(2), tensor(dtype="float32")])
    assert len(check_evaluation(good, function, limits).kind.cotangents) == 2
    bad = asked(want("VJP"), arguments=[tensor(3)], cotangents=[tensor(2), tensor()])
    error = refusal(bad, function, limits)
    assert error.reason is Reason.ELEMENT_TYPE_MISMATCH
    assert "the cotangent of result['z'][0] must be f32[]" in error.message


@pytest.mark.parametrize(
    ("wants", "reason", "words"),
    [
        ([], Reason.MALFORMED_REQUEST, "0 quantities"),
        ([want("VALUE")] * 33, Reason.MALFORMED_REQUEST, "1 to 32"),
        ([evaluation_pb2.Want()], Reason.MALFORMED_REQUEST, "QUANTITY_GRADIENT"),
        ([evaluation_pb2.Want(quantity=77)], Reason.MALFORMED_REQUEST, "77"),  # type: ignore[arg-type]
        ([want("GRADIENT", order=1)], Reason.MALFORMED_REQUEST, "order 1 .* only a DERIVATIVE"),
        ([want("DERIVATIVE")], Reason.MALFORMED_REQUEST, "needs its order"),
        ([want("DERIVATIVE", order=4)], Reason.ORDER_TOO_HIGH, r"order 4 .*max_derivative_order\) is 3"),
        ([want("HESSIAN", mode="MODE_FORWARD")], Reason.MALFORMED_REQUEST, "only a JACOBIAN"),
        ([want("HESSIAN", modes=[1])], Reason.MALFORMED_REQUEST, "HESSIAN takes 2 modes"),
        ([want("LAPLACIAN", modes=[1, 0])], Reason.MALFORMED_REQUEST, "LAPLACIAN takes 2 modes"),
        ([want("DERIVATIVE", order=2, modes=[1, 9])], Reason.MALFORMED_REQUEST, "takes 2 modes"),
        ([want("GRADIENT", modes=[2])], Reason.MALFORMED_REQUEST, "whose modes the planner chooses"),
        ([want("HESSIAN", modes=[2, 1], sparse=True)], Reason.MALFORMED_REQUEST, "a sparse HESSIAN"),
        ([want("HVP", sparse=True)], Reason.MALFORMED_REQUEST, "HVP cannot be sparse"),
        ([want("VALUE", directions=2)], Reason.MALFORMED_REQUEST, "directions were given for VALUE"),
        ([want("JVP", directions=2**20 + 1)], Reason.MALFORMED_REQUEST, "at most 1048576"),
        (
            [want("JVP", argnums=[1], directions=2), want("HVP", argnums=[1])],
            Reason.MALFORMED_REQUEST,
            "share their tangents and need the same directions",
        ),
        ([want("VJP", directions=2), want("VJP")], Reason.MALFORMED_REQUEST, "share their cotangents"),
        ([want("JACOBIAN", mode=9)], Reason.MALFORMED_REQUEST, "mode 9"),
        ([want("VALUE", argnums=[0])], Reason.INVALID_ARGNUMS, "leave them out"),
        ([want("GRADIENT", argnums=[3])], Reason.INVALID_ARGNUMS, "argument 3 .* 0 to 2"),
        ([want("GRADIENT", argnums=[1, 1])], Reason.INVALID_ARGNUMS, "twice"),
        ([want("GRADIENT")], Reason.INVALID_ARGNUMS, r"params\['n'\] has type i32\[2\]"),
        ([want("JVP", argnums=[2])], Reason.INVALID_ARGNUMS, r"flag has type i1\[\]"),
        ([want("JVP"), want("HVP", argnums=[1])], Reason.INVALID_ARGNUMS, "same argnums"),
    ],
)
def test_bad_wants(
    mixed: Registered, limits: Limits, wants: list[evaluation_pb2.Want], reason: Reason, words: str
) -> None:
    """Each thing that cannot be wanted has its reason and says what can."""
    with pytest.raises(ServiceError, match=words) as caught:
        check_evaluation(asked(*wants), mixed, limits)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("result", "wanted", "words"),
    [
        ("f64[3]", "GRADIENT", r"f64\[3\]"),
        ("f64[1]", "GRADIENT", "ask for the jacobian"),
        ("i32[]", "GRADIENT", r"i32\[\]"),
        ("c64[]", "GRADIENT", r"c64\[\]"),
        (["f64[]", "f64[]"], "GRADIENT", r"f64\[\], f64\[\]"),
        ([], "GRADIENT", r"\(\)"),
        ("f64[2]", "HVP", "real scalar"),
        (["f64[2]", "i32[]"], "JACOBIAN", r"i32\[\]"),
        (["f64[2]", "i1[]"], "DERIVATIVE", r"i1\[\]"),
    ],
)
def test_derivatives_that_are_undefined(
    registered: Make, limits: Limits, result: Any, wanted: str, words: str
) -> None:
    """Where a derivative does not exist, the result's type is told, and what to ask for instead."""
    order = 1 if wanted == "DERIVATIVE" else 0
    with pytest.raises(ServiceError, match=words) as caught:
        check_evaluation(asked(want(wanted, order=order)), registered(result, x="f64[3]"), limits)
    assert (caught.value.reason, caught.value.code) == (Reason.DERIVATIVE_UNDEFINED, Code.INVALID_ARGUMENT)


def test_function_without_arguments(registered: Make, limits: Limits) -> None:
    """A function of nothing has a value and no derivative."""
    function = registered("f64[]")
    assert check_evaluation(asked(want("VALUE")), function, limits).inputs == ()
    assert refusal(asked(want("GRADIENT")), function, limits).reason is Reason.INVALID_ARGNUMS


def test_tensors_that_do_not_fit(mixed: Registered, tensor: MakeTensor, limits: Limits) -> None:
    """Each mismatch has its reason, the argument's path, what was expected and what came."""
    good = [tensor(2, dtype="int32"), tensor(3), tensor(2, 3), tensor(dtype="bool")]
    cases: list[tuple[list[tensor_pb2.Tensor], Reason, str]] = [
        (good[:3], Reason.ARGUMENT_COUNT_MISMATCH, "3 tensors .* 4 are needed .*params['w']: f64[3]"),
        ([*good, tensor()], Reason.ARGUMENT_COUNT_MISMATCH, "5 tensors"),
        ([good[0], tensor(4), *good[2:]], Reason.SHAPE_MISMATCH, "params['w'] must be f64[3], but f64[4]"),
        ([good[0], tensor(), *good[2:]], Reason.SHAPE_MISMATCH, "f64[points,3] for a batch"),
        ([good[0], tensor(2, 2, 3), *good[2:]], Reason.SHAPE_MISMATCH, "f64[2,2,3]"),
        (
            [good[0], tensor(3, dtype="float32"), *good[2:]],
            Reason.ELEMENT_TYPE_MISMATCH,
            "params['w'] must be f64[3], but f32[3] came; convert its elements to f64",
        ),
        ([good[0], tensor(3, data=b"x" * 23), *good[2:]], Reason.MALFORMED_REQUEST, "24 bytes .* 23 came"),
        ([good[0], tensor(3, element_type=0), *good[2:]], Reason.MALFORMED_REQUEST, "element type 0"),
        ([good[0], tensor(3, element_type=99), *good[2:]], Reason.MALFORMED_REQUEST, "element type 99"),
        ([good[0], tensor(3, shape=[-1, 3]), *good[2:]], Reason.MALFORMED_REQUEST, "negative size"),
        (
            [*good[:3], tensor(dtype="bool", data=b"\x02")],
            Reason.MALFORMED_REQUEST,
            "flag has type i1[], whose elements are bytes from 0 to 1",
        ),
    ]
    for arguments, reason, words in cases:
        error = refusal(asked(want("VALUE"), arguments=arguments), mixed, limits)
        assert error.reason is reason
        for part in words.split(" .*"):
            assert part.strip() in error.message


def test_batches_that_differ(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """All batched tensors, directions too, have the same number of points."""
    function = registered("f64[]", x="f64[3]", y="f64[]")
    error = refusal(asked(want("VALUE"), arguments=[tensor(4, 3), tensor(5)]), function, limits)
    assert (error.reason, error.metadata["argument"]) == (Reason.SHAPE_MISMATCH, "y")
    assert "x is a batch of 4 points and y one of 5" in error.message
    request = asked(want("JVP", argnums=[1]), arguments=[tensor(4, 3), tensor()], tangents=[tensor(2)])
    assert "the tangent of y" in refusal(request, function, limits).message


def test_directions_that_nobody_wants(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """Tangents and cotangents come only with what uses them."""
    function = registered("f64[]", x="f64[3]")
    for directions in ({"tangents": [tensor(3)]}, {"cotangents": [tensor()]}):
        error = refusal(asked(want("GRADIENT"), arguments=[tensor(3)], **directions), function, limits)
        assert error.reason is Reason.ARGUMENT_COUNT_MISMATCH
        assert "0 are needed" in error.message
    for missing in ("JVP", "HVP", "VJP"):
        error = refusal(asked(want(missing), arguments=[tensor(3)]), function, limits)
        assert error.reason is Reason.ARGUMENT_COUNT_MISMATCH


def test_too_many_points(registered: Make, tensor: MakeTensor, limits: Limits) -> None:
    """A batch over the limit says limit and value."""
    function = registered("f64[]", x="f64[3]")
    error = refusal(asked(want("VALUE"), arguments=[tensor(21, 3)]), function, limits)
    assert (error.reason, error.code) == (Reason.BATCH_TOO_LARGE, Code.RESOURCE_EXHAUSTED)
    assert error.metadata == {"value": "21", "limit": "20", "setting": "max_batch"}


@pytest.mark.parametrize(
    ("wanted", "points", "nbytes"),
    [
        (want("HESSIAN"), None, 40 * 40 * 8),
        (want("HESSIAN"), 3, 3 * 40 * 40 * 8),
        (want("DERIVATIVE", order=3), None, 40**3 * 8),
        (want("JACOBIAN", argnums=[0, 1]), None, None),
    ],
)
def test_results_that_are_too_large(
    registered: Make,
    tensor: MakeTensor,
    limits: Limits,
    wanted: evaluation_pb2.Want,
    points: int | None,
    nbytes: int | None,
) -> None:
    """The size of the results is known before anything runs."""
    function = registered("f64[]", x="f64[40]", y="f64[]")
    x = tensor(40) if points is None else tensor(points, 40)
    request = asked(wanted, arguments=[x, tensor()])
    if nbytes is None:
        assert check_evaluation(request, function, limits)
        return
    error = refusal(request, function, limits)
    assert (error.reason, error.metadata["value"]) == (Reason.RESULT_TOO_LARGE, str(nbytes))
    assert "hvp" in error.message


def test_results_whose_size_nobody_could_read(registered: Make, limits: Limits) -> None:
    """What has more digits than Python says is refused like everything that is too large."""
    function = registered("f64[]", x=f"f64[{','.join(['n'] * 64)}]")
    high = want("DERIVATIVE", order=3)
    request = evaluation_pb2.CompileRequest(function="functions/f", wants=[high], sizes={"n": 1 << 62})
    with pytest.raises(ServiceError, match="bytes or more") as caught:
        check_compilation(request, function, limits)
    assert caught.value.reason is Reason.RESULT_TOO_LARGE


def test_compilations(registered: Make, limits: Limits) -> None:
    """A compilation for a point, for a batch, and for a batch with a shared leaf."""
    function = registered("f64[]", x="f64[3]", y="f64[]")
    point = evaluation_pb2.CompileRequest(wants=[want("GRADIENT")])
    batch = evaluation_pb2.CompileRequest(wants=[want("GRADIENT")], batch=5, shared_leaves=[1])
    assert check_compilation(point, function, limits).points is None
    compilation = check_compilation(batch, function, limits)
    assert (compilation.points, compilation.shared_leaves) == (5, (1,))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"batch": -1}, Reason.MALFORMED_REQUEST),
        ({"batch": 21}, Reason.BATCH_TOO_LARGE),
        ({"shared_leaves": [0]}, Reason.MALFORMED_REQUEST),
        ({"batch": 2, "shared_leaves": [2]}, Reason.MALFORMED_REQUEST),
        ({"batch": 2, "shared_leaves": [0, 0]}, Reason.MALFORMED_REQUEST),
    ],
)
def test_bad_compilations(registered: Make, limits: Limits, fields: Any, reason: Reason) -> None:
    """A compilation that cannot be has its reason."""
    request = evaluation_pb2.CompileRequest(wants=[want("VALUE")], **fields)
    with pytest.raises(ServiceError) as caught:
        check_compilation(request, registered("f64[]", x="f64[3]", y="f64[]"), limits)
    assert caught.value.reason is reason

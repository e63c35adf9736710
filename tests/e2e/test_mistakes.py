"""A user's mistakes: each has its own error, and the server answers the next request.

The client checks much before it sends; here the same mistakes are also sent as bare messages, as a
client in another language would send them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import grpc
import jax.numpy as jnp
import numpy as np
import pytest

import pullback
from pullback.export import export
from pullback.program.container import Program, StableHlo
from pullback.program.wire import program_to_wire
from pullback.v1 import errors_pb2, evaluation_pb2, functions_pb2, tensor_pb2

Quantity, F64, F32 = evaluation_pb2.Quantity, tensor_pb2.ELEMENT_TYPE_F64, tensor_pb2.ELEMENT_TYPE_F32


def tensor(shape: tuple[int, ...], element: Any = F64, data: bytes | None = None) -> tensor_pb2.Tensor:
    """A tensor of zeros."""
    size = int(np.prod(shape)) * (8 if element == F64 else 4)
    return tensor_pb2.Tensor(element_type=element, shape=shape, data=bytes(size) if data is None else data)


def evaluate(**changes: Any) -> evaluation_pb2.EvaluateRequest:
    """A request for the gradient of functions/scalar, with changes."""
    want = evaluation_pb2.Want(quantity=evaluation_pb2.QUANTITY_GRADIENT)
    fields = {"function": "functions/scalar", "wants": [want], "arguments": [tensor((8,))], **changes}
    return evaluation_pb2.EvaluateRequest(**fields)


def want(quantity: Any, **fields: Any) -> list[evaluation_pb2.Want]:
    """One want."""
    return [evaluation_pb2.Want(quantity=quantity, **fields)]


MISTAKES: list[tuple[evaluation_pb2.EvaluateRequest, str, str, str]] = [
    (
        evaluate(arguments=[tensor((7,))]),
        "INVALID_ARGUMENT",
        "SHAPE_MISMATCH",
        r"x .*f64\[7\].*f64\[8\]|f64\[8\].*f64\[7\]",
    ),
    (evaluate(arguments=[tensor((8,), F32)]), "INVALID_ARGUMENT", "ELEMENT_TYPE_MISMATCH", "f32"),
    (evaluate(arguments=[]), "INVALID_ARGUMENT", "ARGUMENT_COUNT_MISMATCH", "0"),
    (evaluate(arguments=[tensor((8,), data=b"123")]), "INVALID_ARGUMENT", "MALFORMED_REQUEST", "3.*64|64.*3"),
    (evaluate(function="functions/scalr"), "NOT_FOUND", "FUNCTION_NOT_FOUND", "scalr"),
    (
        evaluate(function="functions/scalar/revisions/0123456789"),
        "NOT_FOUND",
        "REVISION_NOT_FOUND",
        "0123456789",
    ),
    (evaluate(function="scalar"), "INVALID_ARGUMENT", "MALFORMED_REQUEST", "functions/"),
    (evaluate(wants=[]), "INVALID_ARGUMENT", "MALFORMED_REQUEST", "want"),
    (evaluate(wants=want(0)), "INVALID_ARGUMENT", "MALFORMED_REQUEST", "quantity"),
    (
        evaluate(wants=want(evaluation_pb2.QUANTITY_GRADIENT, argnums=[3])),
        "INVALID_ARGUMENT",
        "INVALID_ARGNUMS",
        "3",
    ),
    (
        evaluate(function="functions/vector"),
        "INVALID_ARGUMENT",
        "DERIVATIVE_UNDEFINED",
        r"(?=.*f64\[8\])(?=.*jacobian)",
    ),
    (
        evaluate(wants=want(evaluation_pb2.QUANTITY_DERIVATIVE, order=99)),
        "RESOURCE_EXHAUSTED",
        "ORDER_TOO_HIGH",
        "99",
    ),
]


@pytest.fixture(scope="module")
def server(client: pullback.Client) -> pullback.Client:
    """A server with a scalar-valued and a vector-valued function of f64[8]."""
    client.register(lambda x: jnp.sum(x**2), np.zeros(8), name="scalar")
    client.register(lambda x: x**2, np.zeros(8), name="vector")
    return client


def call(server: pullback.Client, method: str, request: Any, response: Any) -> Any:
    """Calls a method as a client in another language would."""
    with grpc.insecure_channel(server.address) as channel:
        bare = channel.unary_unary(
            f"/pullback.v1.{method}", type(request).SerializeToString, response.FromString
        )
        return bare(request, timeout=60)


def refused(run: Callable[[], Any]) -> tuple[grpc.RpcError, errors_pb2.ErrorInfo]:
    """The error of a call, and its details."""
    with pytest.raises(grpc.RpcError) as caught:
        run()
    trailers = dict(caught.value.trailing_metadata())
    status = errors_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    return caught.value, errors_pb2.ErrorInfo.FromString(status.details[0].value)


@pytest.mark.parametrize(
    ("request_", "code", "reason", "sentence"), MISTAKES, ids=[m[2] + m[3][:9] for m in MISTAKES]
)
def test_a_mistaken_evaluation(
    server: pullback.Client, request_: evaluation_pb2.EvaluateRequest, code: str, reason: str, sentence: str
) -> None:
    """The mistake has its code, its reason, and a sentence with the value; the next request is answered."""
    method = "EvaluationService/Evaluate"
    error, info = refused(lambda: call(server, method, request_, evaluation_pb2.EvaluateResponse))
    assert (error.code().name, info.reason, info.domain) == (code, reason, "pullback.dev")
    assert re.search(sentence, error.details()), error.details()
    answer = call(server, method, evaluate(), evaluation_pb2.EvaluateResponse)
    assert answer.results[0].tensors[0].data == bytes(64)


def truncated() -> Program:
    """A program whose artifact was cut short."""
    program = export(jnp.sin, np.zeros(3))
    assert isinstance(program.body, StableHlo)
    body = StableHlo(program.body.entry[: len(program.body.entry) // 2], program.body.modules)
    return Program(body, program.signature, program.producer)


def test_a_truncated_artifact(server: pullback.Client) -> None:
    """It is refused at registration, leaves no trace, and the server answers the next request."""
    request = functions_pb2.RegisterFunctionRequest(
        name="functions/cut", program=program_to_wire(truncated())
    )
    method = "FunctionService/RegisterFunction"
    error, info = refused(lambda: call(server, method, request, functions_pb2.RegisterFunctionResponse))
    assert (error.code(), info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_PROGRAM")
    assert "cut" not in {function.name for function in server.functions()}
    np.testing.assert_array_equal(server.function("scalar").grad(np.ones(8)), 2.0 * np.ones(8))


def test_a_formula_with_an_error_points_at_it(server: pullback.Client) -> None:
    """The message shows the line and the column."""
    with pytest.raises(pullback.errors.InvalidArgumentError) as caught:
        server.register(pullback.Formula("y = 2*x\nsum(y))", x="f64[3]"), name="wrong")
    assert caught.value.reason == "FORMULA_ERROR"
    assert caught.value.metadata["line"] == "2"
    assert caught.value.metadata["column"] == "7"
    assert "    sum(y))\n          ^\n" in caught.value.message
    np.testing.assert_array_equal(server.function("scalar").grad(np.ones(8)), 2.0 * np.ones(8))

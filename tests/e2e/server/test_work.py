"""Work over the wire: registering, evaluating, streams, compiling, deaths of workers, damage."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from e2e.server.running import (
    NOT_SERVING,
    SERVING,
    Running,
    Start,
    array,
    details,
    formula,
    request,
    tensor,
)
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from pullback.program.digest import digest as digest_of
from pullback.program.wire import program_to_bytes, program_to_wire
from pullback.v1 import errors_pb2, evaluation_pb2, functions_pb2

X = np.array([1.0, 2.0, 3.0])
A = np.full((1500, 1500), 1e-3)


def failure(server: Running, method: str, message: object) -> tuple[grpc.RpcError, errors_pb2.ErrorInfo]:
    """The error of a call that fails, after which the next one is answered."""
    with pytest.raises(grpc.RpcError) as caught:
        _all(server.call(method, message))
    assert server.evaluate("square", "VALUE", X)[0] == 14
    return caught.value, details(caught.value)[1]


def test_register_says_what_comes_out(server: Running) -> None:
    """A formula's signature gets its result; registering it again changes nothing."""
    program = formula("sum(x) * y", x="f64[2]", y="f64[]")
    answer = server.register("two", program)
    assert not answer.created
    assert answer.function.signature.result_leaves[0].shape == []
    assert answer.function.revision == f"functions/two/revisions/{digest_of(program)}"
    assert answer.function.format == "formula"


def test_refused_program_leaves_no_trace(server: Running) -> None:
    """A program that no worker can read is refused at registration, and nothing is stored."""
    before = {path for path in server.folder.rglob("*") if "compiled" not in path.parts}
    message = functions_pb2.RegisterFunctionRequest(name="functions/bad")
    message.program.CopyFrom(program_to_wire(formula("sum(x", x="f64[3]")))
    error, info = failure(server, "FunctionService/RegisterFunction", message)
    assert (error.code(), info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FORMULA_ERROR")
    assert {path for path in server.folder.rglob("*") if "compiled" not in path.parts} == before


def _all(answer: object) -> object:
    return list(answer) if isinstance(answer, grpc.RpcContext) else answer


def chunks(digest: str, data: bytes, size: int, announced: int | None = None) -> Iterator[object]:
    """The messages of an upload."""
    for start in range(0, len(data), size):
        message = functions_pb2.UploadProgramRequest(chunk=data[start : start + size])
        if start == 0:
            message.digest, message.size_bytes = digest, len(data) if announced is None else announced
        yield message


def test_upload(server: Running) -> None:
    """A program that came in chunks can be registered by its digest."""
    program = formula("sum(x**3)", x="f64[3]")
    data, digest = program_to_bytes(program), digest_of(program)
    assert server.call("FunctionService/UploadProgram", chunks(digest, data, 7)).digest == digest
    message = functions_pb2.RegisterFunctionRequest(name="functions/uploaded", program_digest=digest)
    assert server.call("FunctionService/RegisterFunction", message).created
    assert server.evaluate("uploaded", "GRADIENT", X)[0].tolist() == [3, 12, 27]


@pytest.mark.parametrize(
    ("digest", "announced", "data", "reason"),
    [
        ("0" * 64, None, None, "DIGEST_MISMATCH"),
        ("0" * 64, 10, b"0123456789", "MALFORMED_PROGRAM"),
        ("0" * 64, 9, b"0123456789", "MALFORMED_REQUEST"),
        ("0" * 64, 11, b"0123456789", "MALFORMED_REQUEST"),
        ("0" * 63, None, None, "MALFORMED_REQUEST"),
        ("0" * 64, 1 << 40, b"0123456789", "PROGRAM_TOO_LARGE"),
        ("0" * 64, 0, b"", "MALFORMED_REQUEST"),
    ],
)
def test_bad_uploads(
    server: Running, digest: str, announced: int | None, data: bytes | None, reason: str
) -> None:
    """Uploads that are cut, too long, too large or something else are refused, and nothing is stored."""
    content = program_to_bytes(formula("sum(x)", x="f64[3]")) if data is None else data
    _, info = failure(server, "FunctionService/UploadProgram", chunks(digest, content, 4, announced))
    assert info.reason == reason
    assert list((server.folder / "uploads").glob("*")) == []


def test_discarded_upload(server: Running) -> None:
    """An uploaded program that is refused when it is registered is gone."""
    program = formula("sum(nothing)", x="f64[3]")
    digest = digest_of(program)
    server.call("FunctionService/UploadProgram", chunks(digest, program_to_bytes(program), 1000))
    message = functions_pb2.RegisterFunctionRequest(name="functions/bad", program_digest=digest)
    assert failure(server, "FunctionService/RegisterFunction", message)[1].reason == "FORMULA_ERROR"
    assert failure(server, "FunctionService/RegisterFunction", message)[1].reason == "PROGRAM_NOT_FOUND"


def test_batches(server: Running) -> None:
    """Batched and shared arguments; a batch of no points."""
    xs, y = np.arange(8.0).reshape(4, 2), np.float64(3)
    (value,) = server.evaluate("two", "VALUE", xs, y)
    assert value.tolist() == (xs.sum(1) * 3).tolist()
    gradients = server.evaluate("two", "GRADIENT", xs, np.arange(4.0), argnums=[1, 0])
    assert [each.shape for each in gradients] == [(4,), (4, 2)]
    (empty,) = server.evaluate("two", "VALUE", xs[:0], y)
    assert empty.shape == (0,)


def test_bytes_that_are_no_message(server: Running) -> None:
    """A request that is no protobuf message is a malformed request."""
    error, info = failure(server, "EvaluationService/Evaluate", b"\xff\xff\xff")
    assert (error.code(), info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")


def test_request_ids(server: Running) -> None:
    """A call's request id comes back with its answer and with its error; an error without one gets one."""
    method = server.channel.unary_unary("/pullback.v1.EvaluationService/Evaluate")
    good = request("square", "VALUE", X).SerializeToString()
    _, call = method.with_call(good, metadata=(("x-request-id", "mine-1"),), timeout=20)
    assert dict(call.trailing_metadata())["x-request-id"] == "mine-1"
    with pytest.raises(grpc.RpcError) as caught:
        method(b"", timeout=20)
    assert len(dict(caught.value.trailing_metadata())["x-request-id"]) == 32
    with pytest.raises(grpc.RpcError) as caught:
        method(b"", metadata=(("x-request-id", "mine-2"),), timeout=20)
    assert dict(caught.value.trailing_metadata())["x-request-id"] == "mine-2"
    assert details(caught.value)[1].metadata["request_id"] == "mine-2"
    assert details(caught.value)[0].message == caught.value.details()


def items(
    *requests: tuple[int, evaluation_pb2.EvaluateRequest],
) -> list[evaluation_pb2.EvaluateStreamRequest]:
    """Messages of a stream."""
    return [evaluation_pb2.EvaluateStreamRequest(id=id_, request=each) for id_, each in requests]


def test_stream_goes_on_after_failures(server: Running) -> None:
    """Failed requests are answered with their errors, and the others with their results."""
    good = [(i, request("square", "VALUE", X * i)) for i in range(0, 100, 2)]
    bad = [(i, request("square", "VALUE", X[:2])) for i in range(1, 100, 2)]
    sent = items(*sorted(good + bad, key=lambda each: each[0]))
    answers = {answer.id: answer for answer in server.call("EvaluationService/EvaluateStream", iter(sent))}
    assert sorted(answers) == list(range(100))
    for i, answer in answers.items():
        if i % 2:
            info = errors_pb2.ErrorInfo.FromString(answer.error.details[0].value)
            assert (answer.error.code, info.reason) == (3, "SHAPE_MISMATCH")
        else:
            assert array(answer.response.results[0].tensors[0]) == 14 * i * i


def test_stream_answers_as_they_finish(server: Running) -> None:
    """A quick request overtakes a slow one; its id may not be used twice meanwhile."""
    server.evaluate("square", "VALUE", X)
    sent = items((7, request("slow", "VALUE", A)), (7, request("square", "VALUE", X)))
    sent += items((8, request("square", "VALUE", X)))
    answers = list(server.call("EvaluationService/EvaluateStream", iter(sent)))
    assert [(answer.id, answer.WhichOneof("outcome")) for answer in answers[-1:]] == [(7, "response")]
    early = {(answer.id, answer.WhichOneof("outcome")) for answer in answers[:-1]}
    assert early == {(7, "error"), (8, "response")}
    duplicate = next(answer for answer in answers if answer.WhichOneof("outcome") == "error")
    assert "in flight" in duplicate.error.message


def test_cancelled_stream(server: Running) -> None:
    """A client that leaves its stream in the middle leaves nothing behind."""
    endless = (items((i, request("slow", "VALUE", A)))[0] for i in range(12))
    answers = server.call("EvaluationService/EvaluateStream", endless)
    time.sleep(0.2)
    answers.cancel()
    with pytest.raises(grpc.RpcError):
        next(answers)
    assert server.evaluate("square", "VALUE", X)[0] == 14


def test_compile(server: Running) -> None:
    """Compiling says when it begins and when it is ready, and is not needed twice."""
    message = evaluation_pb2.CompileRequest(
        function="functions/square", wants=[evaluation_pb2.Want(quantity="QUANTITY_HESSIAN")], batch=5
    )
    states = list(server.call("EvaluationService/Compile", message))
    assert [each.state for each in states] == [1, 2]
    assert not states[1].cached
    assert list(server.call("EvaluationService/Compile", message))[1].cached
    answer = server.call("EvaluationService/Evaluate", request("square", "HESSIAN", np.ones((5, 3))))
    assert answer.timing.compile.ToNanoseconds() == 0


def test_bad_compile(server: Running) -> None:
    """A compilation that cannot be is refused before it starts."""
    message = evaluation_pb2.CompileRequest(
        function="functions/vector", wants=[evaluation_pb2.Want(quantity="QUANTITY_GRADIENT")]
    )
    assert failure(server, "EvaluationService/Compile", message)[1].reason == "DERIVATIVE_UNDEFINED"


def test_compiling_holds_up_nothing(server: Running) -> None:
    """While one function compiles, calls of another are answered, two at a time."""
    source = "\n".join(["y = x", *(f"y = sin(y) * exp(cos(y * {i}))" for i in range(12)), "sum(y)"])
    server.register("heavy", formula(source, x="f64[4]"))
    message = evaluation_pb2.CompileRequest(
        function="functions/heavy", wants=[evaluation_pb2.Want(quantity="QUANTITY_DERIVATIVE", order=2)]
    )
    states: list[float] = []
    compiling = threading.Thread(
        target=lambda: states.extend(
            time.monotonic() for _ in server.call("EvaluationService/Compile", message)
        )
    )
    compiling.start()
    while not states:
        time.sleep(0.005)
    with ThreadPoolExecutor(2) as threads:
        values = list(threads.map(lambda _: server.evaluate("square", "VALUE", X)[0], range(20)))
    answered = time.monotonic()
    compiling.join()
    assert values == [14] * 20
    assert len(states) == 2
    assert answered < states[1], "the compilation was too quick to say anything"


def test_health_is_quick(server: Running) -> None:
    """Health answers within 50 ms while the worker is busy, for the server and for each service."""
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(server.evaluate, "slow", "GRADIENT", A) for _ in range(2)]
        time.sleep(0.2)
        seconds = []
        for _ in range(9):
            began = time.monotonic()
            assert server.health() == SERVING
            seconds.append(time.monotonic() - began)
        assert not all(call.done() for call in calls)
        assert sorted(seconds)[4] < 0.05
        for call in calls:
            call.result()
    for name in ("FunctionService", "EvaluationService", "CapabilitiesService"):
        assert server.health(f"pullback.v1.{name}") == SERVING


def test_capabilities(server: Running) -> None:
    """The server tells formats, versions, devices and limits."""
    answer = server.call("CapabilitiesService/GetCapabilities")
    assert list(answer.formats) == ["stablehlo", "formula", "jax_export", "onnx"]
    assert (answer.devices[0].platform, list(answer.program_format_versions)) == ("cpu", [1])
    assert answer.versions["jax"]
    assert len(answer.quantities) == 11
    assert len(answer.element_types) == 28
    assert (answer.limits.batch, answer.limits.derivative_order) == (1 << 20, 6)


def test_reflection(server: Running) -> None:
    """Tools find all services and their messages by reflection."""
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert {
        "pullback.v1.FunctionService",
        "pullback.v1.EvaluationService",
        "pullback.v1.CapabilitiesService",
        "grpc.health.v1.Health",
    } <= set(database.get_services())
    assert database.FindFileContainingSymbol("pullback.v1.EvaluateRequest").package == "pullback.v1"


def test_pages(start: Start) -> None:
    """Functions are listed in pages, in the order of names, and by label."""
    server = start(wait=False)
    for name in "cab":
        server.register(name, formula("sum(x)", x="f64[3]"), labels={"vowel": str(name == "a")})
    message = functions_pb2.ListFunctionsRequest(page_size=2)
    page = server.call("FunctionService/ListFunctions", message)
    assert [each.name for each in page.functions] == ["functions/a", "functions/b"]
    message.page_token = page.next_page_token
    page = server.call("FunctionService/ListFunctions", message)
    assert ([each.name for each in page.functions], page.next_page_token) == (["functions/c"], "")
    message = functions_pb2.ListFunctionsRequest(labels={"vowel": "True"})
    assert [each.name for each in server.call("FunctionService/ListFunctions", message).functions] == [
        "functions/a"
    ]
    server.call("FunctionService/DeleteFunction", functions_pb2.DeleteFunctionRequest(name="functions/a"))
    assert len(server.call("FunctionService/ListFunctions").functions) == 2


def test_killed_worker_is_replaced(start: Start) -> None:
    """Kill -9 of a worker in the middle of a request: the request is answered by the next worker."""
    server = start()
    server.register("slow", formula("sum(a @ a @ a @ a)", a="f64[1500,1500]"))
    server.evaluate("slow", "VALUE", A)
    (before,) = server.workers()
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(server.evaluate, "slow", "GRADIENT", A)
        time.sleep(0.4)
        before.kill()
        deadline = time.monotonic() + 5
        while server.health() != NOT_SERVING:
            assert time.monotonic() < deadline
        assert call.result(60)[0].shape == (1500, 1500)
    (after,) = server.workers()
    assert after.pid != before.pid
    assert server.health() == SERVING


def test_damaged_blob(start: Start) -> None:
    """A damaged blob is named with DATA_LOSS; other functions are served; registering again mends it."""
    first = start()
    bad = formula("sum(x**2)", x="f64[3]")
    first.register("bad", bad)
    first.register("square", formula("sum(x*x)", x="f64[3]"))
    catalogue = (first.folder / "functions" / "bad.json").read_text()
    (blob,) = [
        path for path in (first.folder / "blobs").rglob("*") if path.name in catalogue and path.is_file()
    ]
    first.process.terminate()
    first.process.wait(20)
    blob.write_bytes(blob.read_bytes().replace(b"2", b"3"))
    server = start(folder=first.folder)
    error, info = failure(server, "EvaluationService/Evaluate", request("bad", "VALUE", X))
    assert (error.code(), info.reason) == (grpc.StatusCode.DATA_LOSS, "STORED_PROGRAM_DAMAGED")
    assert (info.metadata["file"], info.metadata["digest"]) == (str(blob), blob.name)
    assert hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name
    assert str(blob) in error.details()
    assert server.register("bad", bad).created
    assert server.evaluate("bad", "VALUE", X)[0] == 14


def test_overload(start: Start) -> None:
    """What is over the limit on requests in flight is refused with a delay; the rest is answered."""
    server = start("--max-in-flight=2")
    server.register("slow", formula("sum(a @ a @ a @ a)", a="f64[1500,1500]"))
    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(server.evaluate, "slow", "VALUE", A) for _ in range(6)]
        errors = [error for call in calls if (error := call.exception()) is not None]
    assert 1 <= len(errors) <= 4
    for error in errors:
        assert isinstance(error, grpc.RpcError)
        status, info = details(error)
        assert (error.code(), info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert errors_pb2.RetryInfo.FromString(status.details[1].value).retry_delay.ToMilliseconds() > 0


def test_large_message(start: Start) -> None:
    """A request over the limit on messages is refused by gRPC, and the server goes on."""
    server = start("--max-message-bytes=1MiB")
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    message = request("square", "VALUE", X)
    message.arguments.append(tensor(np.zeros(400_000)))
    with pytest.raises(grpc.RpcError) as caught:
        server.call("EvaluationService/Evaluate", message)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.evaluate("square", "VALUE", X)[0] == 14

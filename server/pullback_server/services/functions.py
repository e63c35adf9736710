"""FunctionService: registering, giving, listing and deleting functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Final

from pullback.program.container import Program
from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError
from pullback.program.signature import Result
from pullback.program.trees import LEAF
from pullback.program.wire import program_from_bytes, program_from_wire, program_to_bytes
from pullback.v1 import functions_pb2 as pb
from pullback_server.errors import Reason, RequestError, ServiceError, service_error
from pullback_server.model.functions import Findings
from pullback_server.registry.names import is_digest, parse_function_name, parse_name
from pullback_server.registry.pages import decode_token, page_size
from pullback_server.registry.registry import Registration, Registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.constants import Constants
from pullback_server.services.conversion import function_to_wire
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.programs import check_inputs, check_program, check_program_size

_MOST_LABELS: Final = 64
_LONGEST_LABEL: Final = 256
_LONGEST_DESCRIPTION: Final = 4096


class Functions:
    """Answers FunctionService.

    Args:
        registry: Where functions are kept.
        scheduler: What reads and traces programs before they are kept.
        limits: The server's limits.
    """

    def __init__(self, registry: Registry, scheduler: Scheduler, limits: Limits) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._limits = limits
        self._constants = Constants(registry, limits)

    async def upload_program(
        self, requests: AsyncIterator[pb.UploadProgramRequest]
    ) -> pb.UploadProgramResponse:
        """Stores a program that comes in chunks, if it is whole and has its digest."""
        digest, data = await self._receive(requests)
        actual = await asyncio.to_thread(_digest_of_bytes, data)
        if actual != digest:
            raise service_error(
                Reason.DIGEST_MISMATCH,
                f"the program that came has the digest {actual}, but {digest} was announced; upload it again",
                expected=digest,
                actual=actual,
            )
        await asyncio.to_thread(self._registry.upload, digest, data)
        return pb.UploadProgramResponse(digest=digest)

    async def list_missing_constants(
        self, request: pb.ListMissingConstantsRequest
    ) -> pb.ListMissingConstantsResponse:
        """Gives those of the constants that have to be uploaded."""
        return await self._constants.missing(request)

    async def upload_constant(
        self, requests: AsyncIterator[pb.UploadConstantRequest]
    ) -> pb.UploadConstantResponse:
        """Stores a constant that comes in chunks, if it is whole and has its digest."""
        return await self._constants.upload(requests)

    async def register_function(self, request: pb.RegisterFunctionRequest) -> pb.RegisterFunctionResponse:
        """Registers a program that a worker can read and trace; one that it cannot leaves no trace."""
        name = parse_function_name(request.name)
        _check_texts(request.labels, request.description)
        program = await self._program(request)
        check_program(program, self._limits)
        digest = await asyncio.to_thread(digest_of, program)
        current = await asyncio.to_thread(self._registry.current, name)
        if current is not None and current.revision.digest == digest:
            return pb.RegisterFunctionResponse(function=function_to_wire(current), created=False)
        findings = await self._findings(program, digest)
        completed = _completed(program, findings)
        check_inputs(completed.signature, self._limits)
        registration = Registration(
            name,
            completed,
            dict(request.labels),
            request.description,
            findings.derivatives,
        )
        registered = await asyncio.to_thread(self._registry.register, registration)
        return pb.RegisterFunctionResponse(function=function_to_wire(registered), created=True)

    async def get_function(self, request: pb.GetFunctionRequest) -> pb.GetFunctionResponse:
        """Gives a function at the revision that the name means."""
        return pb.GetFunctionResponse(
            function=function_to_wire(self._registry.resolve(parse_name(request.name)))
        )

    async def list_functions(self, request: pb.ListFunctionsRequest) -> pb.ListFunctionsResponse:
        """Lists functions in the order of their names."""
        after, size = decode_token(request.page_token), page_size(request.page_size)
        page, token = await asyncio.to_thread(self._registry.page, after, size, dict(request.labels))
        return pb.ListFunctionsResponse(functions=map(function_to_wire, page), next_page_token=token)

    async def delete_function(self, request: pb.DeleteFunctionRequest) -> pb.DeleteFunctionResponse:
        """Deletes a function with all its revisions."""
        await asyncio.to_thread(self._registry.delete, parse_function_name(request.name))
        return pb.DeleteFunctionResponse()

    async def _receive(self, requests: AsyncIterator[pb.UploadProgramRequest]) -> tuple[str, bytes]:
        first = await anext(requests, None)
        if first is None or not is_digest(first.digest) or first.size_bytes <= 0:
            raise _malformed(
                "an upload begins with the program's digest (64 hexadecimal digits) and size_bytes"
            )
        check_program_size(first.size_bytes, self._limits)
        data = bytearray(first.chunk)
        async for request in requests:
            data += request.chunk
            if len(data) > first.size_bytes:
                break
        if len(data) != first.size_bytes:
            raise _malformed(
                f"size_bytes announced {first.size_bytes} bytes, but {len(data)} came; upload it again"
            )
        return first.digest, bytes(data)

    async def _program(self, request: pb.RegisterFunctionRequest) -> Program:
        match request.WhichOneof("source"):
            case "program":
                check_program_size(request.program.ByteSize(), self._limits)
                return _parsed(lambda: program_from_wire(request.program))
            case "program_digest" if is_digest(request.program_digest):
                data = await asyncio.to_thread(self._registry.program, request.program_digest)
                return _parsed(lambda: program_from_bytes(data))
            case "program_digest":
                raise _malformed(f"{request.program_digest[:100]!r} is no digest of 64 hexadecimal digits")
            case _:
                raise _malformed(
                    "nothing to register was given; set program, or program_digest after an upload"
                )

    async def _findings(self, program: Program, digest: str) -> Findings:
        """What a worker finds in a program; an upload that it refuses is discarded."""
        try:
            return await self._scheduler.load(digest, program_to_bytes(program))
        except RequestError:
            await asyncio.to_thread(self._registry.discard_upload, digest, program.constants)
            raise


def _completed(program: Program, findings: Findings) -> Program:
    """The program with the part of its signature that only a worker can find.

    That is all of it for a program that says it itself, and the result of a formula, which is one array.
    """
    if findings.signature is not None:
        return replace(program, signature=findings.signature)
    if program.signature.result is not None:
        return program
    return replace(program, signature=replace(program.signature, result=Result(LEAF, findings.result)))


def _digest_of_bytes(data: bytes) -> str:
    return digest_of(_parsed(lambda: program_from_bytes(data)))


def _parsed(parse: Callable[[], Program]) -> Program:
    try:
        return parse()
    except ProgramError as error:
        raise service_error(Reason.MALFORMED_PROGRAM, f"the program cannot be read: {error}") from error


def _check_texts(labels: Mapping[str, str], description: str) -> None:
    if len(labels) > _MOST_LABELS or any(
        len(text) > _LONGEST_LABEL for pair in labels.items() for text in pair
    ):
        raise _malformed(f"a function has at most {_MOST_LABELS} labels of {_LONGEST_LABEL} characters")
    if len(description) > _LONGEST_DESCRIPTION:
        raise _malformed(
            f"the description has {len(description)} characters; it may have {_LONGEST_DESCRIPTION}"
        )


def _malformed(message: str) -> ServiceError:
    return service_error(Reason.MALFORMED_REQUEST, message)

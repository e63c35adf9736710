"""FunctionService: registering, giving, listing, deleting and granting functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Final

from pullback.program.container import Program
from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError, TreeTooDeepError
from pullback.program.signature import Result
from pullback.program.trees import LEAF
from pullback.program.wire import program_from_bytes, program_from_wire, program_to_bytes
from pullback.v1 import functions_pb2 as pb
from pullback_server.errors import (
    PressureError,
    QuarantineError,
    Reason,
    RequestError,
    ServiceError,
    service_error,
)
from pullback_server.model.functions import EVERY_TENANT, Findings, Registered
from pullback_server.registry.names import (
    Key,
    function_name,
    is_digest,
    parse_function_name,
    parse_name,
)
from pullback_server.registry.pages import decode_token, page_size
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.audit import Change, changing
from pullback_server.services.budget import Budget
from pullback_server.services.constants import Constants
from pullback_server.services.conversion import function_to_wire
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.programs import (
    check_arguments,
    check_program,
    check_program_size,
    check_signature,
)
from pullback_server.services.rights import reader, require, require_own, require_rights_to, require_tenant
from pullback_server.tenants.callers import Caller, Role, caller
from pullback_server.tenants.current import CurrentDirectory

_AT_A_TIME: Final = 8
_MOST_LABELS: Final = 64
_LONGEST_LABEL: Final = 256
_LONGEST_DESCRIPTION: Final = 4096


class Functions:
    """Answers FunctionService.

    Args:
        registry: Where functions are kept.
        scheduler: What reads and traces programs before they are kept.
        limits: The server's limits.
        directory: The tenants; None is any.
    """

    audited: Final = True

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        limits: Limits,
        directory: CurrentDirectory | None = None,
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._limits = limits
        self._directory = directory or CurrentDirectory()
        self._constants = Constants(registry, limits)
        # Programs are in memory while they come; more of them wait in the clients.
        self._coming = Budget(_AT_A_TIME * limits.program_bytes, "programs", "max_program_bytes")

    async def upload_program(
        self, requests: AsyncIterator[pb.UploadProgramRequest]
    ) -> pb.UploadProgramResponse:
        """Stores a program that comes in chunks, if it is whole and has its digest."""
        who = require(Role.REGISTER, "uploading a program")
        first = await self._begun(requests, who)
        await self._coming.take(first.size_bytes)
        try:
            return await self._uploaded(first, requests, who)
        finally:
            self._coming.give_back(first.size_bytes, who.tenant)

    async def _uploaded(
        self, first: pb.UploadProgramRequest, requests: AsyncIterator[pb.UploadProgramRequest], who: Caller
    ) -> pb.UploadProgramResponse:
        digest, data = first.digest, await _rest(first, requests)
        actual = await asyncio.to_thread(_digest_of_bytes, data)
        if actual != digest:
            raise service_error(
                Reason.DIGEST_MISMATCH,
                f"the program that came has the digest {actual}, but {digest} was announced; upload it again",
                expected=digest,
                actual=actual,
            )
        await asyncio.to_thread(self._registry.upload, digest, data, who.tenant)
        return pb.UploadProgramResponse(digest=digest)

    async def list_missing_constants(
        self, request: pb.ListMissingConstantsRequest
    ) -> pb.ListMissingConstantsResponse:
        """Gives those of the constants that have to be uploaded."""
        require(Role.REGISTER, "uploading constants")
        return await self._constants.missing(request)

    async def upload_constant(
        self, requests: AsyncIterator[pb.UploadConstantRequest]
    ) -> pb.UploadConstantResponse:
        """Stores a constant that comes in chunks, if it is whole and has its digest."""
        require(Role.REGISTER, "uploading a constant")
        return await self._constants.upload(requests)

    async def register_function(self, request: pb.RegisterFunctionRequest) -> pb.RegisterFunctionResponse:
        """Registers a program that a worker can read and trace; one that it cannot leaves no trace."""
        async with changing("register", request.name) as change:
            return await self._register(request, change)

    async def _register(
        self, request: pb.RegisterFunctionRequest, change: Change
    ) -> pb.RegisterFunctionResponse:
        who = require(Role.REGISTER, "registering a function")
        key = parse_function_name(request.name, who.tenant)
        change.resource = function_name(key)
        require_own(self._registry, key, who)
        _check_texts(request.labels, request.description)
        program = await self._program(request, who)
        digest = await asyncio.to_thread(digest_of, program)
        change.details["digest"] = digest
        current = await asyncio.to_thread(self._registry.current, key)
        if current is not None and current.revision.digest == digest:
            await asyncio.to_thread(self._registry.release, digest, program.constants, who.tenant)
            return pb.RegisterFunctionResponse(function=await _told(current, who), created=False)
        # What a worker says of a program must not tell of constants that others have sent.
        await asyncio.to_thread(self._registry.require_constants, program.constants, who.tenant)
        completed, findings = await self._examined(program, digest, who)
        registration = Registration(
            key.function,
            completed,
            dict(request.labels),
            request.description,
            findings.derivatives,
            key.tenant,
        )
        registered = await asyncio.to_thread(self._registry.register, registration)
        return pb.RegisterFunctionResponse(function=await _told(registered, who), created=True)

    async def get_function(self, request: pb.GetFunctionRequest) -> pb.GetFunctionResponse:
        """Gives a function at the revision that the name means."""
        who = caller.get()
        registered = self._registry.resolve(parse_name(request.name, who.tenant), reader(who))
        return pb.GetFunctionResponse(function=await _told(registered, who))

    async def list_functions(self, request: pb.ListFunctionsRequest) -> pb.ListFunctionsResponse:
        """Lists functions in the order of their tenants and names."""
        who = caller.get()
        page, token = await asyncio.to_thread(
            self._registry.page,
            decode_token(request.page_token),
            page_size(request.page_size),
            dict(request.labels),
            tenant=request.tenant or who.tenant,
            reader=reader(who),
            # They have no name that callers with a tenant could write.
            with_nobodys=not who.tenant,
        )
        functions = [await _told(registered, who) for registered in page]
        return pb.ListFunctionsResponse(functions=functions, next_page_token=token)

    async def delete_function(self, request: pb.DeleteFunctionRequest) -> pb.DeleteFunctionResponse:
        """Deletes a function with all its revisions."""
        async with changing("delete", request.name) as change:
            _, key = self._changeable(request.name, change, "deleting")
            await asyncio.to_thread(self._registry.delete, key)
        return pb.DeleteFunctionResponse()

    async def grant_function(self, request: pb.GrantFunctionRequest) -> pb.GrantFunctionResponse:
        """Lets another tenant see and evaluate a function."""
        async with changing("grant", request.name, grantee=request.tenant) as change:
            who, key = self._changeable(request.name, change, "granting")
            self._check_tenant(request.tenant, key)
            granted = await asyncio.to_thread(self._registry.grant, key, request.tenant)
        return pb.GrantFunctionResponse(function=await _told(granted, who))

    async def revoke_function(self, request: pb.RevokeFunctionRequest) -> pb.RevokeFunctionResponse:
        """Takes a grant back."""
        async with changing("revoke", request.name, grantee=request.tenant) as change:
            who, key = self._changeable(request.name, change, "revoking")
            left = await asyncio.to_thread(self._registry.revoke, key, request.tenant)
        return pb.RevokeFunctionResponse(function=await _told(left, who))

    def _changeable(self, name: str, change: Change, action: str) -> tuple[Caller, Key]:
        """The caller and the key of a function that it may change, as far as there is one."""
        who = require(Role.REGISTER, f"{action} a function")
        key = parse_function_name(name, who.tenant)
        change.resource = function_name(key)
        require_rights_to(self._registry, key, who)
        return who, key

    def _check_tenant(self, tenant: str, key: Key) -> None:
        if tenant == key.tenant:
            raise _malformed(
                f"{key.function!r} belongs to the tenant {tenant!r}; name the one to grant it to"
            )
        if tenant != EVERY_TENANT:
            require_tenant(self._directory.directory, tenant)

    async def _begun(
        self, requests: AsyncIterator[pb.UploadProgramRequest], who: Caller
    ) -> pb.UploadProgramRequest:
        """The first message of an upload, if there may be one of its size."""
        first = await anext(requests, None)
        if first is None or not is_digest(first.digest) or first.size_bytes <= 0:
            raise _malformed(
                "an upload begins with the program's digest (64 hexadecimal digits) and size_bytes"
            )
        check_program_size(first.size_bytes, self._limits)
        await asyncio.to_thread(self._registry.require_room, first.size_bytes, who.tenant)
        return first

    async def _program(self, request: pb.RegisterFunctionRequest, who: Caller) -> Program:
        match request.WhichOneof("source"):
            case "program":
                check_program_size(request.program.ByteSize(), self._limits)
                check_arguments(len(request.program.signature.arguments), self._limits)
                return await asyncio.to_thread(_parsed, lambda: program_from_wire(request.program))
            case "program_digest" if is_digest(request.program_digest):
                data = await asyncio.to_thread(self._registry.program, request.program_digest, who.tenant)
                return await asyncio.to_thread(_parsed, lambda: program_from_bytes(data))
            case "program_digest":
                raise _malformed(f"{request.program_digest[:100]!r} is no digest of 64 hexadecimal digits")
            case _:
                raise _malformed(
                    "nothing to register was given; set program, or program_digest after an upload"
                )

    async def _examined(self, program: Program, digest: str, who: Caller) -> tuple[Program, Findings]:
        """The whole program, and what a worker finds in it; an upload that is refused is discarded."""
        try:
            await asyncio.to_thread(check_program, program, self._limits)
            data = await asyncio.to_thread(program_to_bytes, program)
            findings = await self._scheduler.load(digest, data)
            completed = _completed(program, findings)
            check_signature(completed.signature, self._limits)
        except (RequestError, PressureError, QuarantineError) as error:
            if error.retry_delay is None:
                await asyncio.to_thread(self._registry.discard_upload, digest, program.constants, who.tenant)
            raise
        return completed, findings


async def _rest(first: pb.UploadProgramRequest, requests: AsyncIterator[pb.UploadProgramRequest]) -> bytes:
    """All bytes of an upload."""
    data = bytearray(first.chunk)
    async for request in requests:
        data += request.chunk
        if len(data) > first.size_bytes:
            break
    if len(data) != first.size_bytes:
        raise _malformed(
            f"size_bytes announced {first.size_bytes} bytes, but {len(data)} came; upload it again"
        )
    return bytes(data)


def _completed(program: Program, findings: Findings) -> Program:
    """The program with the part of its signature that only a worker can find.

    That is all of it for a program that says it itself, and the result of a formula, which is one array.
    """
    if findings.signature is not None:
        return replace(program, signature=findings.signature)
    if program.signature.result is not None:
        return program
    return replace(program, signature=replace(program.signature, result=Result(LEAF, findings.result)))


async def _told(registered: Registered, who: Caller) -> pb.Function:
    """The message of a function; made in a thread, since it may have very many arguments."""
    own = registered.function.tenant == who.tenant
    with_grants = own or who.role is Role.ADMINISTER
    return await asyncio.to_thread(function_to_wire, registered, who.tenant, with_grants=with_grants)


def _digest_of_bytes(data: bytes) -> str:
    return digest_of(_parsed(lambda: program_from_bytes(data)))


def _parsed(parse: Callable[[], Program]) -> Program:
    try:
        return parse()
    except TreeTooDeepError as error:
        raise _too_deep(error.deepest) from error
    except ProgramError as error:
        raise service_error(Reason.MALFORMED_PROGRAM, f"the program cannot be read: {error}") from error


def _too_deep(most: int) -> ServiceError:
    """The error of a tree; how deep it is nobody has looked, as none is followed further."""
    return service_error(
        Reason.NESTING_TOO_DEEP,
        f"a tree of arguments or results is nested {most + 1} deep or deeper; the limit, which no setting "
        f"changes, is {most}; flatten it",
        value=str(most + 1),
        limit=str(most),
        setting="",
    )


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

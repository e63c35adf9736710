"""What is refused for a limit: each refusal has its numbers and its setting, in words and for programs."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from pullback.program.errors import TreeTooDeepError
from pullback_server.configuration.settings import Settings
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.functions import Function, Revision
from pullback_server.registry.usage import require_bytes, require_place, require_revision
from pullback_server.scheduling.accounts import Accounts
from pullback_server.scheduling.admission import Admission
from pullback_server.services import functions, visitors
from pullback_server.services.authentication import Authentication
from pullback_server.services.budget import LARGE, budgets
from pullback_server.services.calls import OpenCalls
from pullback_server.services.lasting import Streams
from pullback_server.services.patience import Patience
from pullback_server.services.requests.evaluations import check_sent
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.messages import check_message
from pullback_server.services.requests.programs import (
    check_arguments,
    check_constant_size,
    check_program_size,
)
from pullback_server.services.visitors import Visitors
from pullback_server.tenants.callers import Caller, Role, caller
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.directory import Tenant
from pullback_server.tenants.identity import Identity

ACME = Caller("acme", "it", Role.EVALUATE)
LIMITS = Limits(*[3] * len(dataclasses.fields(Limits)))
REVISIONS = tuple(Revision(digit * 64, digit * 64, "formula", 0.0) for digit in "abc")


class Silent:
    """A call whose message never comes."""

    async def read(self) -> bytes:
        """Waits without end."""
        await asyncio.sleep(60)
        raise AssertionError

    def invocation_metadata(self) -> tuple[()]:
        """Announces nothing."""
        return ()


async def too_many_streams() -> None:
    """One stream more than a tenant may have."""
    current = CurrentDirectory()
    streams = Streams(Authentication(current), current, OpenCalls(), 1)

    async def another() -> None:
        await streams.run(None, Identity(ACME), cast("Any", None), another)

    await another()


async def in_hand(taken: int, waiting: int, *sizes: int) -> None:
    """Requests of a tenant that come unannounced, where others have some and wait for more."""
    budget = budgets(8 * LARGE).requests
    budget.take_at_once(taken)
    line = asyncio.create_task(budget.take(waiting))
    await asyncio.sleep(0)
    caller.set(ACME)
    try:
        for size in sizes:
            budget.take_at_once(size)
    finally:
        line.cancel()


def flooded(tenant: Tenant, limit: int = 9) -> None:
    """Requests of a tenant until one is refused."""
    admission = Admission(limit, Accounts(lambda _: tenant))
    for _ in range(50):
        admission.enter(admission.accounts.of(tenant.name))


def visited(*, most: int) -> None:
    """One call more of one connection than may be."""
    counted = Visitors(most, 2)
    with counted.visit("ipv4:1"), counted.visit("ipv4:1"), counted.visit("ipv4:1"):
        raise AssertionError


def too_deep() -> None:
    """A program with a tree that is too deep."""

    def parse() -> Any:
        raise TreeTooDeepError(32)

    functions._parsed(parse)


CASES: list[tuple[Reason, str, Callable[[], Coroutine[Any, Any, object] | None]]] = [
    (Reason.MESSAGE_TOO_LARGE, "max_message_bytes", lambda: check_message(4, 3)),
    (Reason.MESSAGE_TOO_LARGE, "max_message_bytes", lambda: check_message(4, 3, streams=True)),
    (Reason.MESSAGE_TOO_LARGE, "max_bytes_in_flight", lambda: budgets(100).requests.take(51)),
    (Reason.RESULT_TOO_LARGE, "max_bytes_in_flight", lambda: budgets(100).results.take(26)),
    (Reason.RESULT_TOO_LARGE, "max_message_bytes", lambda: check_sent(4, LIMITS)),
    (Reason.OVERLOADED, "max_bytes_in_flight", lambda: in_hand(3 * LARGE, 0, LARGE, 1)),
    (Reason.OVERLOADED, "max_bytes_in_flight", lambda: in_hand(2 * LARGE, 3 * LARGE, LARGE + 1)),
    (Reason.TENANT_OVERLOADED, "max_bytes_in_flight", lambda: in_hand(LARGE, 0, *[LARGE - 1] * 3)),
    (Reason.PROGRAM_TOO_LARGE, "max_program_bytes", lambda: check_program_size(4, LIMITS)),
    (Reason.CONSTANTS_TOO_LARGE, "max_constant_bytes", lambda: check_constant_size(4, LIMITS)),
    (Reason.TOO_MANY_INPUTS, "max_inputs", lambda: check_arguments(4, LIMITS)),
    (Reason.NESTING_TOO_DEEP, "", too_deep),
    (Reason.OVERLOADED, "max_in_flight", lambda: flooded(Tenant("acme"))),
    (Reason.TENANT_OVERLOADED, "max_in_flight", lambda: flooded(Tenant("acme", max_in_flight=2))),
    (Reason.RATE_LIMITED, "requests_per_second", lambda: flooded(Tenant("acme", requests_per_second=2.5))),
    (
        Reason.RATE_LIMITED,
        "requests_per_second",
        lambda: flooded(Tenant("acme", requests_per_second=0.1, burst=5)),
    ),
    (Reason.TENANT_OVERLOADED, "max_concurrent_rpcs", too_many_streams),
    (Reason.OVERLOADED, "max_concurrent_rpcs", lambda: visited(most=1)),
    (Reason.OVERLOADED, "", lambda: visited(most=9)),
    (Reason.OVERLOADED, "", lambda: Visitors(1).message(cast("Any", Silent()))),
    (
        Reason.DEADLINE_EXCEEDED,
        "max_silent_seconds",
        lambda: Patience(0.1).messages(cast("Any", Silent())).read(),
    ),
    (Reason.TENANT_FULL, "max_functions", lambda: require_place(Tenant("acme", max_functions=2), 2)),
    (Reason.TENANT_FULL, "max_stored_bytes", lambda: require_bytes(Tenant("acme", max_stored_bytes=2), 3)),
    (
        Reason.TENANT_FULL,
        "max_revisions",
        lambda: require_revision(Function("f", REVISIONS, "a" * 64), "d" * 64, 3),
    ),
]


@pytest.mark.parametrize(
    ("reason", "setting", "act"), CASES, ids=[f"{each[0]}-{each[1] or 'fixed'}" for each in CASES]
)
async def test_each_refusal(
    reason: Reason,
    setting: str,
    act: Callable[[], Coroutine[Any, Any, object] | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The value is no less than the limit; a limit without a setting is one that nobody can change."""
    monkeypatch.setattr(visitors, "_READ_SECONDS", 0.1)
    with pytest.raises(ServiceError) as caught:
        await _done(act)
    error = caught.value
    assert (error.reason, error.metadata["setting"]) == (reason, setting)
    assert setting in {"", *Settings.model_fields, *(each.name for each in dataclasses.fields(Tenant))}
    value, limit = error.metadata["value"], error.metadata["limit"]
    assert float(value) >= float(limit)
    words = error.message.replace(",", " ").replace(";", " ").split()
    assert {value, limit, setting} <= {"", *words, *(word.strip("()") for word in words)}


async def _done(act: Callable[[], Coroutine[Any, Any, object] | None]) -> None:
    acting = act()
    if acting is not None:
        await acting

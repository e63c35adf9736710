"""Budgets of bytes: order, limits, and what is given back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.errors import PressureError, Reason
from pullback_server.services.budget import LARGE, Budget, budgets
from pullback_server.tenants.callers import Caller, Role, caller


async def test_room() -> None:
    """What fits is taken at once, and counted until it is given back."""
    budget = Budget(100, "a request", "the limit")
    await budget.take(60)
    await budget.take(40)
    assert (budget.used, budget.waiting) == (100, 0)
    budget.give_back(60)
    assert budget.used == 40


async def test_a_line() -> None:
    """Those who wait come in the order in which they came, a small one behind a large one too."""
    budget, order = Budget(100, "a request", "the limit"), list[int]()

    async def wait(nbytes: int) -> None:
        await budget.take(nbytes)
        order.append(nbytes)

    await budget.take(90)
    tasks = [asyncio.create_task(wait(nbytes)) for nbytes in (80, 5, 15)]
    await asyncio.sleep(0)
    assert (order, budget.waiting) == ([], 3)
    budget.give_back(90)
    await asyncio.gather(*tasks)
    assert (order, budget.used) == ([80, 5, 15], 100)


async def test_tenants_take_turns() -> None:
    """Whoever has much to send takes turns with others by bytes, however much of it waits."""
    budget, order = Budget(100, "a request", "the limit"), list[str]()

    async def wait(tenant: str, nbytes: int) -> None:
        caller.set(Caller(tenant, "it", Role.EVALUATE))
        await budget.take(nbytes)
        order.append(tenant)
        await asyncio.sleep(0)
        budget.give_back(nbytes, tenant)

    await budget.take(100)
    tasks = [asyncio.create_task(wait("flood", 60)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(wait("calm", 60)) for _ in range(3)]
    await asyncio.sleep(0)
    budget.give_back(100)
    await asyncio.gather(*tasks)
    assert [number for number, tenant in enumerate(order) if tenant == "calm"] == [1, 3, 5]
    assert (len(order), budget.used, budget.waiting) == (23, 0, 0)


async def test_a_tenant_leaves_room() -> None:
    """One whose clients keep what they have holds up itself alone, and goes on when they give it back."""
    budget, order = Budget(100, "a request", "the limit"), list[str]()

    async def take(tenant: str, nbytes: int) -> None:
        caller.set(Caller(tenant, "it", Role.EVALUATE))
        await budget.take(nbytes)
        order.append(tenant)

    stuck = [asyncio.create_task(take("stuck", 30)) for _ in range(3)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(take("calm", nbytes)) for nbytes in (40, 10)]
    await asyncio.gather(*others)
    assert (order, budget.used, budget.waiting) == (["stuck", "calm", "calm"], 80, 2)
    budget.give_back(30, "stuck")
    await asyncio.sleep(0)
    assert (order[3:], budget.used, budget.waiting) == (["stuck"], 80, 1)
    stuck[2].cancel()
    budget.give_back(40, "calm")
    await asyncio.gather(*stuck, return_exceptions=True)
    assert (budget.used, budget.waiting) == (40, 0)


async def test_what_is_alone_may_be_larger() -> None:
    """One large thing of a tenant has more than its part; with it in hand, another is refused at once."""
    budget = Budget(100, "a request", "the limit")
    caller.set(Caller("acme", "it", Role.EVALUATE))
    await budget.take(90)
    with pytest.raises(PressureError, match=r"'acme' would have 95 in hand, and may have 50") as caught:
        budget.take_at_once(5)
    assert (caught.value.reason, caught.value.retry_delay) == (Reason.TENANT_OVERLOADED, 0.2)
    caller.set(Caller("bolt", "it", Role.EVALUATE))
    budget.take_at_once(5)


async def test_leaving_the_line() -> None:
    """Who is cancelled holds up nobody, also in the moment in which it comes in."""
    budget = Budget(100, "a request", "the limit")
    await budget.take(100)
    first, second = (asyncio.create_task(budget.take(nbytes)) for nbytes in (90, 20))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    third = asyncio.create_task(budget.take(80))
    await asyncio.sleep(0)
    budget.give_back(100)
    third.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert (budget.used, budget.waiting) == (20, 0)


async def test_too_large() -> None:
    """What never fits is refused with both numbers."""
    budget = Budget(100, "a request", "the limit")
    for refused in (budget.take(101), asyncio.to_thread(budget.take_at_once, 101)):
        with pytest.raises(PressureError, match=r"101 bytes.*is 100") as caught:
            await refused
        assert caught.value.reason is Reason.MESSAGE_TOO_LARGE
        assert caught.value.metadata["limit"] == "100"


async def test_at_once_or_never() -> None:
    """What does not wait is refused with a delay where there is no room; the small may pass those in line."""
    budget = Budget(4 * LARGE, "a request", "the limit")
    budget.take_at_once(2 * LARGE)
    waiting = asyncio.create_task(budget.take(3 * LARGE))
    await asyncio.sleep(0)
    budget.take_at_once(LARGE)
    with pytest.raises(PressureError, match="no room") as caught:
        budget.take_at_once(LARGE + 1)
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_delay is not None
    budget.give_back(3 * LARGE)
    await waiting
    assert budget.used == 3 * LARGE


def test_shares() -> None:
    """Requests and results have a budget each; results are there twice while they are sent."""
    both = budgets(1000)
    assert (both.requests.limit, both.results.limit) == (500, 250)


_CALLS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 5), st.booleans(), st.sampled_from(["", "acme", "bolt"])),
    max_size=30,
)


@given(_CALLS)
def test_never_above_the_limit(calls: list[tuple[int, int, bool, str]]) -> None:
    """Whoever comes, stays and leaves: no more than the limit is in hand, and all of it comes back."""

    async def main() -> None:
        budget = Budget(100, "a request", "the limit")

        async def call(nbytes: int, steps: int, tenant: str) -> None:
            caller.set(Caller(tenant, "it", Role.EVALUATE))
            await budget.take(nbytes)
            assert budget.used <= 100
            try:
                for _ in range(steps):
                    await asyncio.sleep(0)
            finally:
                budget.give_back(nbytes, tenant)

        tasks = []
        for nbytes, steps, cancelled, tenant in calls:
            tasks.append(asyncio.create_task(call(nbytes, steps, tenant)))
            await asyncio.sleep(0)
            if cancelled:
                tasks[len(tasks) // 2].cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert (budget.used, budget.waiting) == (0, 0)

    asyncio.run(main())

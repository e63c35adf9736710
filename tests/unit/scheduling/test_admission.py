"""Admission: what is over a limit is refused with a time to come back; a flood locks nobody out."""

from __future__ import annotations

import pytest

from pullback_server.errors import Code, PressureError, Reason, ServiceError
from pullback_server.scheduling.accounts import Account, Accounts
from pullback_server.scheduling.admission import Admission
from pullback_server.tenants.directory import Directory, Tenant


def accounts_of(*tenants: Tenant) -> Accounts:
    """Accounts of these tenants."""
    return Accounts(Directory(tenants).tenant)


def refused(admission: Admission, account: Account) -> ServiceError:
    """How a tenant is refused."""
    with pytest.raises(PressureError) as caught:
        admission.enter(account)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    return caught.value


def test_limit() -> None:
    """The one over the limit is refused; a place that is left is free."""
    admission = Admission(2)
    account = admission.accounts.of("")
    began = [admission.enter(account) for _ in range(2)]
    error = refused(admission, account)
    expected = {"limit": "2", "value": "2", "setting": "max_in_flight"}
    assert (error.reason, error.metadata) == (Reason.OVERLOADED, expected)
    assert "2 requests" in error.message
    assert error.retry_delay is not None
    assert 0.02 <= error.retry_delay <= 10
    for each in began:
        admission.leave(account, each)
    assert admission.in_flight == account.figures.in_flight == 0
    admission.enter(account)
    assert (account.figures.requests, account.figures.shed) == (3, 1)


def test_delays_follow_the_drain() -> None:
    """Those who are refused come back one after the other, sooner where requests end sooner."""
    delays = {}
    for seconds in (0.1, 1.0):
        admission = Admission(10)
        account = admission.accounts.of("")
        account.seconds = seconds
        for _ in range(10):
            admission.enter(account)
        delays[seconds] = [refused(admission, account).retry_delay or 0.0 for _ in range(20)]
    assert delays[1.0][-1] == pytest.approx(20 * 1.0 / 10, rel=0.05)
    assert delays[0.1][-1] == pytest.approx(20 * 0.1 / 10, rel=0.1)
    assert sorted(delays[1.0]) == delays[1.0]


def test_a_tenants_own_limit() -> None:
    """One tenant's limit is no other's."""
    admission = Admission(10, accounts_of(Tenant("few", max_in_flight=1), Tenant("many")))
    few, many = map(admission.accounts.of, ("few", "many"))
    began = admission.enter(few)
    error = refused(admission, few)
    assert (error.reason, error.metadata["limit"]) == (Reason.TENANT_OVERLOADED, "1")
    assert "'few'" in error.message
    for _ in range(5):
        admission.enter(many)
    admission.leave(few, began)
    admission.enter(few)


def test_rate() -> None:
    """After a burst a tenant comes at its rate, and is told when."""
    admission = Admission(100, accounts_of(Tenant("slow", requests_per_second=2.0, burst=3)))
    slow = admission.accounts.of("slow")
    for _ in range(3):
        admission.enter(slow)
    errors = [refused(admission, slow) for _ in range(3)]
    assert {error.reason for error in errors} == {Reason.RATE_LIMITED}
    assert [error.retry_delay for error in errors] == pytest.approx([0.5, 1.0, 1.5], rel=0.05)


def test_a_flood_locks_nobody_out() -> None:
    """Where a flood has all places, another gets its share of them, and the flood loses what came last."""
    admission = Admission(8)
    flood, calm = map(admission.accounts.of, ("flood", "calm"))
    queue = [admission.enter(flood) for _ in range(8)]

    def shed(account: Account, error: ServiceError) -> bool:
        assert (account, error.reason) == (flood, Reason.OVERLOADED)
        admission.leave(flood, queue.pop())
        return True

    admission.shed_by(shed)
    for _ in range(4):
        admission.enter(calm)
    assert (flood.figures.in_flight, calm.figures.in_flight, admission.in_flight) == (4, 4, 8)
    assert refused(admission, calm).reason is Reason.OVERLOADED
    assert refused(admission, flood).reason is Reason.OVERLOADED
    assert (flood.figures.shed, calm.figures.shed) == (5, 1)


def test_a_flood_that_cannot_be_shed() -> None:
    """Where nothing of a flood waits that could be dropped, a few places beyond the limit are for others."""
    admission = Admission(16)
    flood, calm = map(admission.accounts.of, ("flood", "calm"))
    for _ in range(16):
        admission.enter(flood)
    refused(admission, flood)
    for _ in range(2):
        admission.enter(calm)
    assert refused(admission, calm).reason is Reason.OVERLOADED
    assert (flood.figures.shed, calm.figures.shed, admission.in_flight) == (1, 1, 18)


def test_weights_count_for_places() -> None:
    """A tenant of three times the weight has three times the places."""
    admission = Admission(8, accounts_of(Tenant("light"), Tenant("heavy", weight=3.0)))
    light, heavy = map(admission.accounts.of, ("light", "heavy"))
    queue = [admission.enter(light) for _ in range(8)]

    def shed(account: Account, _: ServiceError) -> bool:
        admission.leave(account, queue.pop())
        return True

    admission.shed_by(shed)
    for _ in range(6):
        admission.enter(heavy)
    assert (light.figures.in_flight, heavy.figures.in_flight) == (2, 6)
    refused(admission, heavy)


def test_settings_are_taken_over() -> None:
    """What is changed of a tenant counts from then on."""
    tenants = {"a": Tenant("a")}
    accounts = Accounts(tenants.__getitem__)
    admission = Admission(8, accounts)
    account = accounts.of("a")
    admission.enter(account)
    tenants["a"] = Tenant("a", weight=2.0, max_in_flight=1)
    accounts.settle()
    assert refused(admission, account).reason is Reason.TENANT_OVERLOADED
    assert account.share.weight == 2.0

"""Every case that was ever found is sent again: it gets its answer, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from e2e.server.running import Running
from fuzz.answers import Answer
from fuzz.calling import Caller
from fuzz.innocent import Innocent
from fuzz.keeping import kept
from fuzz.programs import FLAGS
from fuzz.seeds.messages import Case
from fuzz.serving import serving
from fuzz.watching import Watch

CASES = kept()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Innocent]]:
    """A server for all cases, whose front lives through them, and an innocent client of it."""
    folder = tmp_path_factory.mktemp("found")
    with (
        serving(folder, *FLAGS, "--worker-silent-seconds=2", "--quarantine-deaths=1") as server,
        Innocent(server.address, 100) as innocent,
    ):
        yield server, innocent


async def _answer(address: str, case: Case) -> Answer:
    async with Caller(address, 100) as caller:
        return await caller.call(case)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_found(case: Case, watched: tuple[Running, Innocent]) -> None:
    """It gets a reason; the front lives, and an innocent client gets its numbers meanwhile."""
    server, innocent = watched
    watch = Watch(server)
    answer = asyncio.run(_answer(server.address, case))
    watch.look()
    assert answer.fault == ""
    assert (innocent.faults, watch.faults) == ([], [])


def test_a_program_that_kills_is_quarantined(watched: tuple[Running, Innocent]) -> None:
    """What has killed a worker is refused from then on, and the reason says so."""
    case = next(case for name, case in CASES.items() if name.startswith("RegisterFunction-"))
    assert asyncio.run(_answer(watched[0].address, case)).reason == "QUARANTINED"
    assert asyncio.run(_answer(watched[0].address, case)).reason == "QUARANTINED"
    assert watched[1].faults == []


def test_cases_are_small() -> None:
    """They are part of the repository."""
    assert 3 < len(CASES) < 100
    assert all(sum(map(len, case.messages)) < 8192 for case in CASES.values())

"""The quarantine: who is refused, for how long, and what is left of it on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.registry.disks import BadDisk, Disk, Ended, FullDisk, LastDisk

from pullback_server.engine.quarantine import Quarantine
from pullback_server.errors import Code, QuarantineError, Reason
from pullback_server.model.functions import EVERY_TENANT


def test_enough_deaths() -> None:
    """A program is refused from the death on that is one too many, with the reason; others are not."""
    quarantine = Quarantine(deaths=2)
    quarantine.blame("a" * 64, "it was killed by SIGSEGV")
    quarantine.check("a" * 64)
    assert quarantine.empty
    quarantine.blame("a" * 64, "it was killed by SIGABRT")
    with pytest.raises(QuarantineError, match=r"killed 2 workers.*SIGABRT.*administrator") as caught:
        quarantine.check("a" * 64)
    assert (caught.value.reason, caught.value.code) == (Reason.QUARANTINED, Code.FAILED_PRECONDITION)
    assert caught.value.metadata["deaths"] == "2"
    quarantine.check("b" * 64)
    (entry,) = quarantine.entries()
    assert (entry.digest, entry.deaths, entry.why) == ("a" * 64, 2, "it was killed by SIGABRT")


def test_clear() -> None:
    """What is cleared is let in and has a clean record; clearing what is not there says so."""
    quarantine = Quarantine(deaths=2)
    quarantine.blame("a", "x")
    quarantine.blame("a", "x")
    assert quarantine.clear("a")
    assert not quarantine.clear("a")
    quarantine.blame("a", "x")
    quarantine.check("a")
    assert quarantine.empty


def test_never() -> None:
    """With 0 deaths nothing is ever refused."""
    quarantine = Quarantine(deaths=0)
    for _ in range(5):
        quarantine.blame("a", "x")
    quarantine.check("a")


def test_bounded() -> None:
    """Of more than are remembered, those go first whose deaths are longest ago."""
    quarantine = Quarantine(deaths=1, most=3)
    for digest in "abcad":
        quarantine.blame(digest, "x")
    assert [entry.digest for entry in quarantine.entries()] == ["c", "a", "d"]
    quarantine.check("b")


def test_kept(tmp_path: Path) -> None:
    """Deaths and refusals are there after a restart, and what was cleared is not."""
    file = tmp_path / "quarantine.json"
    before = Quarantine(file, deaths=2)
    for digest in "aabcc":
        before.blame(digest, f"of {digest}")
    before.clear("c")
    after = Quarantine(file, deaths=2)
    assert after.entries() == before.entries()
    after.blame("b", "again")
    assert [entry.digest for entry in after.entries()] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "{", '[{"digest": 3}]'])
def test_damaged_file(tmp_path: Path, text: str) -> None:
    """A file that cannot be read does not keep a server from starting."""
    file = tmp_path / "quarantine.json"
    file.write_text(text)
    quarantine = Quarantine(file, deaths=1)
    assert quarantine.empty
    quarantine.blame("a", "x")
    assert not Quarantine(file, deaths=1).empty


def test_disk_that_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the file cannot be written, the program is refused all the same, and the log says so."""
    folder = tmp_path / "folder"
    folder.write_text("a file is here")
    quarantine = Quarantine(folder / "quarantine.json", deaths=1)
    quarantine.blame("a", "x")
    assert not quarantine.empty
    assert "cannot be written" in caplog.text


def test_tenants() -> None:
    """A program is refused to the tenant whose requests killed, and to no other; who clears it clears all."""
    quarantine = Quarantine(deaths=2)
    for tenant in ("bolt", "acme", "bolt"):
        quarantine.blame("a", "it looped", tenant)
    with pytest.raises(QuarantineError):
        quarantine.check("a", "bolt")
    quarantine.check("a", "acme")
    quarantine.check("a")
    assert [(entry.digest, entry.tenant) for entry in quarantine.entries()] == [("a", "bolt")]
    assert quarantine.clear("a")
    quarantine.check("a", "bolt")


def test_all_tenants() -> None:
    """What is refused without a tenant is refused to all; what several asked for is blamed on none."""
    quarantine = Quarantine(deaths=1)
    quarantine.blame("a", "x")
    quarantine.blame("b", "x", EVERY_TENANT)
    with pytest.raises(QuarantineError):
        quarantine.check("a", "acme")
    quarantine.check("b", "acme")
    assert quarantine.count == 1


def test_tenants_survive_a_restart(tmp_path: Path) -> None:
    """To whom a program is refused stands in the file."""
    Quarantine(tmp_path / "q", deaths=1).blame("a", "x", "bolt")
    after = Quarantine(tmp_path / "q", deaths=1)
    after.check("a", "acme")
    with pytest.raises(QuarantineError):
        after.check("a", "bolt")


ACTS: dict[str, Callable[[Quarantine], object]] = {
    "blame": lambda quarantine: quarantine.blame("c", "x", "bolt"),
    "blame again": lambda quarantine: quarantine.blame("a", "x"),
    "clear": lambda quarantine: quarantine.clear("a"),
}
BEFORE = [("a", 1, ""), ("b", 1, "acme")]
AFTER = {
    "blame": [*BEFORE, ("c", 1, "bolt")],
    "blame again": [("b", 1, "acme"), ("a", 2, "")],
    "clear": [("b", 1, "acme")],
}


def two_refused(folder: Path) -> Path:
    """A file with two programs."""
    folder.mkdir()
    quarantine = Quarantine(folder / "q", deaths=1)
    quarantine.blame("a", "x")
    quarantine.blame("b", "x", "acme")
    return folder / "q"


def known(quarantine: Quarantine) -> list[tuple[str, int, str]]:
    """What is refused, to whom, and for how many deaths."""
    return [(entry.digest, entry.deaths, entry.tenant) for entry in quarantine.entries()]


def reread(file: Path) -> list[tuple[str, int, str]]:
    """What a restart finds."""
    return known(Quarantine(file, deaths=1))


DISKS: dict[str, Callable[[int], Disk]] = {
    "full": FullDisk,
    "bad": lambda number: BadDisk(number, after=False),
    "bad afterwards": lambda number: BadDisk(number, after=True),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("kind", DISKS)
def test_disks_that_fail(tmp_path: Path, act: str, kind: str) -> None:
    """A change holds, whatever fails; the file has all of it or nothing, and all with the next change."""
    for number in range(20):
        file = two_refused(tmp_path / str(number))
        quarantine = Quarantine(file, deaths=1)
        disk = DISKS[kind](number)
        with pytest.MonkeyPatch.context() as patch:
            disk.install(patch)
            ACTS[act](quarantine)
        assert known(quarantine) == AFTER[act]
        assert reread(file) in (BEFORE, AFTER[act])
        quarantine.blame("d", "x")
        assert reread(file) == [*AFTER[act], ("d", 1, "")]
        if not disk.reached:
            break
    else:
        pytest.fail("the change has no end")


@pytest.mark.parametrize("act", ACTS)
def test_a_loss_of_power(tmp_path: Path, act: str) -> None:
    """The file has the old state or the new one, and the new one once that was confirmed."""
    for number in range(20):
        file = two_refused(tmp_path / str(number))
        quarantine = Quarantine(file, deaths=1)
        disk = LastDisk(number, file.parent)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Ended):
            disk.install(patch)
            ACTS[act](quarantine)
        disk.what_is_left(file.parent, tmp_path / f"{number}.lost")
        found = [reread(file), reread(tmp_path / f"{number}.lost" / "q")]
        if not disk.reached:
            assert found == [AFTER[act], AFTER[act]]
            break
        assert all(each in (BEFORE, AFTER[act]) for each in found)
    else:
        pytest.fail("the change has no end")

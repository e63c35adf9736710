"""The quarantine: who is refused, for how long, and what is left of it on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

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

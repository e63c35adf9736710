"""The user's own function from the user's own file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pullback.cli.loading import load_function


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """What a file brings in stays in its test."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_function_and_the_modules_beside_it(tmp_path: Path) -> None:
    """As when Python runs the file."""
    (tmp_path / "beside_model.py").write_text("factor = 3\n")
    (tmp_path / "own_model.py").write_text(
        "from beside_model import factor\n\ndef loss(x):\n    return factor * x\n"
    )
    assert load_function(f"{tmp_path / 'own_model.py'}:loss")(2) == 6


@pytest.mark.parametrize("reference", ["model.py", ":loss", "model.py:", "model.py:a.b"])
def test_references_that_cannot_be(reference: str) -> None:
    """A usage error that shows the form."""
    with pytest.raises(click.UsageError, match=r"write it like model\.py:loss"):
        load_function(reference)


def test_what_is_not_there(tmp_path: Path) -> None:
    """The file, its name, or the function in it."""
    (tmp_path / "empty_model.py").write_text("x = 1\n")
    (tmp_path / "text").write_text("")
    for reference, message in [
        ("absent.py:f", "there is no file"),
        ("text:f", r"must end in \.py"),
        ("empty_model.py:f", "has no function 'f'"),
        ("empty_model.py:x", "has no function 'x'"),
    ]:
        with pytest.raises(click.ClickException, match=message):
            load_function(f"{tmp_path}/{reference}")


def test_a_file_that_fails(tmp_path: Path) -> None:
    """One message with the file's own error."""
    (tmp_path / "broken_model.py").write_text("1 / 0\n")
    with pytest.raises(click.ClickException, match="ZeroDivisionError: division by zero"):
        load_function(f"{tmp_path / 'broken_model.py'}:f")

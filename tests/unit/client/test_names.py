"""Resource names."""

from __future__ import annotations

import pytest

from pullback._names import default_name, function_name, revision_name, short_name, spelled_name
from pullback.errors import InvalidArgumentError

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("reference", "resource"),
    [
        ("rosenbrock", "functions/rosenbrock"),
        ("1.a_b-C", "functions/1.a_b-C"),
        ("f@01234567", "functions/f/revisions/01234567"),
        (f"f@{DIGEST}", f"functions/f/revisions/{DIGEST}"),
        ("red/f", "tenants/red/functions/f"),
        ("red/f@01234567", "tenants/red/functions/f/revisions/01234567"),
    ],
)
def test_references(reference: str, resource: str) -> None:
    """A name, or a name with a digest or its beginning; of another tenant with that before."""
    assert revision_name(reference) == resource
    assert spelled_name(resource) == reference


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "a/", "/a", "a//b", "../a", "-a", ".a", "ü", "a b", "a\n", "x" * 129]
)
def test_names_that_cannot_be(name: str) -> None:
    """Refused with the name in the message, before anything is sent."""
    with pytest.raises(InvalidArgumentError, match="no name of a function") as caught:
        function_name(name)
    assert caught.value.reason == "MALFORMED_REQUEST"


@pytest.mark.parametrize("digest", ["", "0123456", "0123456g", "0123ABCD", "0" * 65])
def test_digests_that_cannot_be(digest: str) -> None:
    """Refused: too short, too long, or no lower-case hexadecimal digits."""
    with pytest.raises(InvalidArgumentError, match="no digest"):
        revision_name(f"f@{digest}")


def test_short_names() -> None:
    """The last part is the digest."""
    assert short_name(f"functions/f/revisions/{DIGEST}") == DIGEST


@pytest.mark.parametrize(
    ("wanted", "name"), [("loss", "loss"), ("<lambda>", "program-0123456789ab"), ("", "program-0123456789ab")]
)
def test_default_names(wanted: str, name: str) -> None:
    """What has no name that serves gets one from its digest."""
    assert default_name(wanted, DIGEST) == name

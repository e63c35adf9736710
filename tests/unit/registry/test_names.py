"""Resource names and page tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.errors import Reason, RequestError
from pullback_server.registry.names import (
    ResourceName,
    function_name,
    is_digest,
    parse_function_name,
    parse_name,
    revision_name,
)
from pullback_server.registry.pages import decode_token, encode_token, page_size

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize("name", ["f", "9", "A.b_c-d", "x" * 128])
def test_names(name: str) -> None:
    """Names that are allowed come back."""
    assert parse_name(function_name(name)) == ResourceName(name)
    assert parse_name(revision_name(name, DIGEST)) == ResourceName(name, DIGEST)
    assert parse_function_name(function_name(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "f",
        "functions/",
        "functions/.f",
        "functions/../f",
        "functions/-f",
        "functions/f/",
        "functions/f\n",
        "functions/é",
        "functions/" + "x" * 129,
        "functions/f/revisions/",
        "functions/f/revisions/1234567",
        "functions/f/revisions/ABCDEF01",
        "functions/f/revisions/" + "0" * 65,
        "functions/f/versions/12345678",
    ],
)
def test_what_is_no_name(name: str) -> None:
    """All else is refused with the form of a name."""
    with pytest.raises(RequestError, match=r"functions/\{function\}") as caught:
        parse_name(name)
    assert caught.value.reason is Reason.MALFORMED_REQUEST


def test_revision_is_no_function() -> None:
    """Where a function is named, a revision is refused."""
    with pytest.raises(RequestError):
        parse_function_name(revision_name("f", DIGEST))


def test_digests() -> None:
    """A whole digest has 64 lower-case digits."""
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST[:-1])
    assert not is_digest(DIGEST.upper())


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z"))
def test_tokens_come_back(name: str) -> None:
    """A token gives the name it was made of."""
    assert decode_token(encode_token(name)) == name


def test_first_page() -> None:
    """No token means the beginning."""
    assert decode_token("") == ""


@pytest.mark.parametrize("token", ["%", "abc", "////", "é"])
def test_what_is_no_token(token: str) -> None:
    """A token that is none of ours is refused."""
    with pytest.raises(RequestError, match="page_token"):
        decode_token(token)


def test_page_sizes() -> None:
    """0 means the default, more than the largest the largest, and less than 0 is refused."""
    assert [page_size(asked) for asked in (0, 1, 1000, 5000)] == [100, 1, 1000, 1000]
    with pytest.raises(RequestError, match="-1"):
        page_size(-1)

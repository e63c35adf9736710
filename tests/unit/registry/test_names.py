"""Resource names and page tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.errors import Reason, RequestError
from pullback_server.registry.names import (
    Key,
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
    key = Key("", name)
    assert function_name(key) == f"functions/{name}"
    assert parse_name(function_name(key)) == ResourceName(name)
    assert parse_name(revision_name(key, DIGEST)) == ResourceName(name, DIGEST)
    assert parse_function_name(function_name(key)) == key


@pytest.mark.parametrize("home", ["red", "blue"])
@pytest.mark.parametrize("tenant", ["red", "9.x_y-z"])
def test_names_of_tenants(tenant: str, home: str) -> None:
    """The short form means the reader's own tenant; the long one any, the reader's own too."""
    key = Key(tenant, "f")
    assert function_name(key, home) == ("functions/f" if tenant == home else f"tenants/{tenant}/functions/f")
    assert parse_function_name(function_name(key, home), home) == key
    assert parse_name(revision_name(key, DIGEST, home), home) == ResourceName("f", DIGEST, tenant)
    assert parse_name(f"tenants/{tenant}/functions/f", home).key == key
    assert parse_name("functions/f", home).key == Key(home, "f")


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
        "tenants//functions/f",
        "tenants/../functions/f",
        "tenants/a/b/functions/f",
        "tenants/*/functions/f",
        "tenants/red",
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
        parse_function_name(revision_name(Key("", "f"), DIGEST))


def test_digests() -> None:
    """A whole digest has 64 lower-case digits."""
    assert is_digest(DIGEST)
    assert not is_digest(DIGEST[:-1])
    assert not is_digest(DIGEST.upper())


NAME = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


@given(st.one_of(st.just(""), NAME), NAME)
def test_tokens_come_back(tenant: str, name: str) -> None:
    """A token gives the function it was made of."""
    assert decode_token(encode_token(Key(tenant, name))) == Key(tenant, name)


def test_first_page() -> None:
    """No token means the beginning."""
    assert decode_token("") == Key("", "")


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

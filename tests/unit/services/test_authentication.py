"""Who calls: what is kept of a token, and for how long."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from unit.tenants.issuing import AUDIENCE, ISSUER, ec_key, public_keys, signed

from pullback_server.errors import AccessError, Reason
from pullback_server.services.authentication import Authentication
from pullback_server.tenants.callers import ANYBODY, Caller, Role
from pullback_server.tenants.claims import Trust, Verifier
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.keys import Keys

OURS, HEADER = "pb_ours", "Bearer pb_ours"


class Peer:
    """What a call says of its other end."""

    def __init__(self, address: str = "ipv4:10.0.0.9:1", **names: list[bytes]) -> None:
        self._address = address
        self._names = names

    def peer(self) -> str:
        """Where the call comes from."""
        return self._address

    def auth_context(self) -> Mapping[str, list[bytes]]:
        """What its certificate says."""
        return self._names


class Clock:
    """Seconds since 1970 that a test sets."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """What it says."""
        return self.now


def current(folder: Path, more: str = "") -> CurrentDirectory:
    """A directory with one token, that expires 1000 seconds after the clock begins, and more."""
    digest = hashlib.sha256(OURS.encode()).hexdigest()
    (folder / "tenants.toml").write_text(
        f'[[tenants.acme.tokens]]\nname = "ci"\nsha256 = "{digest}"\nrole = "register"\n'
        f"expires = 2027-01-15T08:16:40Z\n{more}"
    )
    return CurrentDirectory(folder / "tenants.toml")


async def refusal(authentication: Authentication, header: str | None, peer: Any = None) -> AccessError:
    """Why a call is refused."""
    with pytest.raises(AccessError) as caught:
        await authentication.identify(header, peer or Peer())
    return caught.value


async def test_a_token_is_looked_into_once(tmp_path: Path) -> None:
    """Before it came it is not known; then it is, for five minutes."""
    clock = Clock()
    authentication = Authentication(current(tmp_path), clock=clock)
    assert authentication.known(HEADER) is None
    identity = await authentication.identify(HEADER, Peer())
    assert identity.caller == Caller("acme", "ci", Role.REGISTER)
    assert authentication.known(HEADER) is identity
    clock.now += 299
    assert authentication.known(HEADER) is identity
    clock.now += 2
    assert authentication.known(HEADER) is None


async def test_what_is_kept_ends_with_the_token(tmp_path: Path) -> None:
    """Not a second later."""
    clock = Clock()
    authentication = Authentication(current(tmp_path), clock=clock)
    clock.now += 999.5
    await authentication.identify(HEADER, Peer())
    clock.now += 0.4
    assert authentication.known(HEADER) is not None
    clock.now += 0.2
    assert authentication.known(HEADER) is None
    assert "'ci' has expired" in (await refusal(authentication, HEADER)).message


async def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    """Nor is nothing at all."""
    authentication = Authentication(current(tmp_path))
    for header in (None, "Bearer pb_theirs", "Basic pb_ours", "Bearer", "Bearer "):
        assert (await refusal(authentication, header)).reason is Reason.UNAUTHENTICATED
        assert authentication.known(header) is None


async def test_no_more_is_kept_than_a_few_thousand(tmp_path: Path) -> None:
    """Whoever sends the same token in many forms fills no memory; those that came first go."""
    authentication = Authentication(current(tmp_path), clock=Clock())
    for spaces in range(1, 4098):
        await authentication.identify(f"Bearer{' ' * spaces}{OURS}", Peer())
    assert authentication.known(HEADER) is None
    assert authentication.known(f"Bearer  {OURS}") is not None


async def test_a_new_directory_counts_at_once(tmp_path: Path) -> None:
    """A token that is withdrawn does not live on in what was kept."""
    directory = current(tmp_path)
    authentication = Authentication(directory, clock=Clock())
    identity = await authentication.identify(HEADER, Peer())
    assert authentication.holds(HEADER, identity)
    (tmp_path / "tenants.toml").write_text("[tenants.acme]")
    directory.reread()()
    assert authentication.known(HEADER) is None
    assert not authentication.holds(HEADER, identity)
    assert "none of this server's" in (await refusal(authentication, HEADER)).message


async def test_a_directory_that_is_replaced_meanwhile(tmp_path: Path) -> None:
    """A tenant that is taken out while the keys for its token are fetched is refused, and not kept."""
    key, gate = ec_key(), threading.Event()
    text = public_keys({"k": key})
    keys = Keys(lambda: text if gate.wait(10) else b"", "the test")
    directory = current(tmp_path)
    authentication = Authentication(directory, Verifier(Trust(ISSUER, AUDIENCE), keys))
    header = f"Bearer {signed(key, kid='k')}"
    asking = asyncio.create_task(refusal(authentication, header))
    await asyncio.sleep(0.05)
    (tmp_path / "tenants.toml").write_text("[tenants.other]")
    directory.reread()()
    gate.set()
    assert (await asking).reason is Reason.PERMISSION_DENIED
    assert authentication.known(header) is None


async def test_a_token_that_comes_while_keys_are_fetched(tmp_path: Path) -> None:
    """It is taken by the key from before, and forgotten when that is no key of the issuer any more."""
    old, new, gate = ec_key(), ec_key(), threading.Event()
    sets = [public_keys({"k": old}), public_keys({"k": new})]
    keys = Keys(lambda: sets.pop(0) if len(sets) > 1 or gate.wait(10) else b"", "the test")
    authentication = Authentication(current(tmp_path), Verifier(Trust(ISSUER, AUDIENCE), keys))
    await keys.refresh()
    fetching = keys.refresh()
    header = f"Bearer {signed(old, kid='k')}"
    identity = await authentication.identify(header, Peer())
    assert authentication.known(header) is identity
    gate.set()
    await fetching
    assert authentication.known(header) is None
    assert (await refusal(authentication, header)).reason is Reason.UNAUTHENTICATED
    assert authentication.known(header) is None


async def test_tokens_and_jwts_side_by_side(tmp_path: Path) -> None:
    """What is no token of the file may be a JWT, of a tenant that the file has."""
    key = ec_key()
    text = public_keys({"first": key})
    verifier = Verifier(Trust(ISSUER, AUDIENCE), Keys(lambda: text, "the test"))
    authentication = Authentication(current(tmp_path), verifier)
    identity = await authentication.identify(f"bearer {signed(key)}", Peer())
    assert identity.caller == Caller("acme", "ann", Role.REGISTER)
    assert authentication.holds("anything", identity)
    stranger = await refusal(authentication, f"Bearer {signed(key, tenant='zeta')}")
    assert (stranger.reason, stranger.metadata) == (Reason.PERMISSION_DENIED, {"tenant": "zeta"})


async def test_a_socket_is_its_user_s(tmp_path: Path) -> None:
    """Where nobody else can open it; calls from elsewhere are nobody's, whatever they are named."""
    authentication = Authentication(current(tmp_path), local=ANYBODY)
    identity = await authentication.identify(None, Peer("unix:/socket"))
    assert identity.caller is ANYBODY
    assert authentication.holds(None, identity)
    assert "no credentials" in (await refusal(authentication, None)).message
    assert "not accepted" in (await refusal(authentication, "Bearer x", Peer("unix:/socket"))).message


async def test_a_socket_s_tenant_that_is_taken_out(tmp_path: Path) -> None:
    """Its callers are let in no more, and those who are in do not stay."""
    directory = current(tmp_path)
    local = Caller("acme", "socket", Role.EVALUATE)
    authentication = Authentication(directory, local=local)
    identity = await authentication.identify(None, Peer("unix:/socket"))
    assert identity.caller is local
    assert authentication.holds(None, identity)
    (tmp_path / "tenants.toml").write_text("[tenants.other]")
    directory.reread()()
    assert not authentication.holds(None, identity)
    refused = await refusal(authentication, None, Peer("unix:/socket"))
    assert (refused.reason, refused.metadata) == (Reason.PERMISSION_DENIED, {"tenant": "acme"})


CERTIFICATES = """
[[tenants.acme.certificates]]
subject = "lab.example"
role = "administer"
"""


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (
            {"x509_subject_alternative_name": [b"a", b"b"], "peer_uri": [b"a"], "peer_dns": [b"lab.example"]},
            True,
        ),
        ({"x509_common_name": [b"lab.example"]}, True),
        (
            {
                "x509_subject_alternative_name": [b"b"],
                "peer_dns": [b"b"],
                "x509_common_name": [b"lab.example"],
            },
            False,
        ),
        ({"x509_subject_alternative_name": [b"lab.example"], "peer_email": [b"lab.example"]}, False),
        ({"x509_common_name": [b"lab.example.org"]}, False),
    ],
    ids=["one of several", "common name", "other alternatives", "mail", "another"],
)
async def test_certificates(tmp_path: Path, names: dict[str, list[bytes]], known: bool) -> None:
    """URIs and DNS names count, and the common name only where there is nothing else."""
    authentication = Authentication(current(tmp_path, CERTIFICATES))
    if known:
        identity = await authentication.identify(None, Peer(**names))
        assert identity.caller == Caller("acme", "lab.example", Role.ADMINISTER)
        assert authentication.holds(None, identity)
    else:
        assert (await refusal(authentication, None, Peer(**names))).reason is Reason.UNAUTHENTICATED

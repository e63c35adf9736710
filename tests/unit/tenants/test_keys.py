"""An issuer's keys: kept, fetched again when they change, and never in the way."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from unit.tenants.issuing import public_keys

from pullback_server.errors import AccessError, AvailabilityError
from pullback_server.tenants import keys
from pullback_server.tenants.fetching import from_address, from_file, from_issuer
from pullback_server.tenants.keys import Keys, read_keys


class Issuer:
    """Gives keys, and counts how often; None has it out of reach."""

    def __init__(self, keys: dict[str, Any] | None) -> None:
        self.keys = keys
        self.asked = 0
        self.again = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def fetch(self) -> bytes:
        """The keys now."""
        self.asked += 1
        if self.asked > 1:
            self.again.set()
        self.open.wait(10)
        if self.keys is None:
            raise OSError("no route to the issuer")
        return public_keys(self.keys)


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """What it says."""
        return self.now


async def test_keys_are_fetched_once(first: rsa.RSAPrivateKey, second: ec.EllipticCurvePrivateKey) -> None:
    """However many tokens come at the same time, and after."""
    issuer = Issuer({"a": first, "b": second})
    keys = Keys(issuer.fetch, "the test", Clock())
    found = await asyncio.gather(*(keys.key(kid) for kid in "abab"))
    assert [key.key_type for key in found] == ["RSA", "EC", "RSA", "EC"]
    assert issuer.asked == 1


async def test_a_new_key_is_found_when_a_token_names_it(first: rsa.RSAPrivateKey) -> None:
    """After a rotation the keys are fetched again, but not more often than every ten seconds."""
    issuer, clock = Issuer({"a": first}), Clock()
    keys = Keys(issuer.fetch, "the test", clock)
    await keys.key("a")
    issuer.keys = {"b": first}
    with pytest.raises(AccessError, match="'b'"):
        await keys.key("b")
    clock.now += 11
    assert (await keys.key("b")).key_id == "b"
    with pytest.raises(AccessError, match="'a'"):
        await keys.key("a")
    assert issuer.asked == 2


async def test_keys_are_renewed_in_the_background(first: rsa.RSAPrivateKey) -> None:
    """A key that the issuer withdrew serves until the new ones are there, and no longer."""
    issuer = Issuer({"a": first})
    keys = Keys(issuer.fetch, "the test", Clock(), renewal=0.02)
    await keys.key("a")
    issuer.keys = {"b": first}
    issuer.open.clear()
    assert await asyncio.to_thread(issuer.again.wait, 10)
    assert (await keys.key("a")).key_id == "a"
    issuer.open.set()
    await keys.refresh()
    with pytest.raises(AccessError):
        await keys.key("a")
    assert (await keys.key("b")).key_id == "b"


async def test_what_could_not_be_fetched_is_soon_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when keys would be fetched again anyhow."""
    monkeypatch.setattr(keys, "_AGAIN_SECONDS", 0.02)
    issuer = Issuer(None)
    await Keys(issuer.fetch, "the test", renewal=3600).refresh()
    assert await asyncio.to_thread(issuer.again.wait, 10)


async def test_keys_that_change_while_they_are_fetched(first: rsa.RSAPrivateKey) -> None:
    """Who asks for those of now has them fetched once more; who has them fetched has not."""
    issuer = Issuer({"first": first})
    keys = Keys(issuer.fetch, "the test")
    issuer.open.clear()
    fetching = keys.refresh()
    assert keys.refresh() is fetching
    keys.renew()
    issuer.open.set()
    await fetching
    await keys.refresh()
    assert issuer.asked == 2
    keys.renew()
    await keys.refresh()
    assert issuer.asked == 3


async def test_an_issuer_out_of_reach_holds_up_no_known_key(first: rsa.RSAPrivateKey) -> None:
    """Known keys serve at once; for others the caller is told to come again."""
    issuer, clock = Issuer({"a": first}), Clock()
    keys = Keys(issuer.fetch, "the test", clock)
    await keys.key("a")
    issuer.keys = None
    await keys.refresh()
    assert (await keys.key("a")).key_id == "a"
    clock.now += 3600
    with pytest.raises(AvailabilityError, match="try again") as caught:
        await keys.key("b")
    assert caught.value.retry_delay == 10.0
    assert (await keys.key("a")).key_id == "a"


async def test_unknown_keys_wait_for_those_that_are_on_their_way(first: rsa.RSAPrivateKey) -> None:
    """Who comes while the first fetch is under way gets its answer."""
    issuer = Issuer({"a": first})
    issuer.open.clear()
    keys = Keys(issuer.fetch, "the test", Clock())
    waiting = [asyncio.create_task(keys.key("a")) for _ in range(3)]
    await asyncio.sleep(0.05)
    issuer.open.set()
    assert {key.key_id for key in await asyncio.gather(*waiting)} == {"a"}
    assert issuer.asked == 1


async def test_a_token_may_name_no_key_where_there_is_one(
    first: rsa.RSAPrivateKey, second: ec.EllipticCurvePrivateKey
) -> None:
    """With several keys it must say which."""
    one, two = Issuer({"a": first}), Issuer({"a": first, "b": second})
    assert (await Keys(one.fetch, "the test").key(None)).key_id == "a"
    with pytest.raises(AccessError, match="names no key"):
        await Keys(two.fetch, "the test").key(None)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": [7, {"kty": "RSA"}]}'])
def test_what_is_no_key_set(text: bytes) -> None:
    """Neither other data nor a set without usable keys will do."""
    with pytest.raises(ValueError, match=r"Expecting value|no key|no JSON Web Key Set"):
        read_keys(text)


def test_only_keys_for_signatures_are_kept(first: rsa.RSAPrivateKey) -> None:
    """Shared secrets and keys for encryption are left out."""
    (good,) = json.loads(public_keys({"a": first}))["keys"]
    others = [{"kty": "oct", "k": "AAAA", "kid": "b"}, {**good, "kid": "c", "use": "enc"}]
    assert set(read_keys(json.dumps({"keys": [good, *others]}).encode())) == {"a"}


def test_a_bad_key_is_left_out(
    second: ec.EllipticCurvePrivateKey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the set serve, and the log says why it does not, by whatever error PyJWT tells it."""

    def make(entry: dict[str, Any]) -> jwt.PyJWK:
        if entry["x"] == "AAAA":
            raise ValueError("the point is not on the curve")  # as PyJWT 2.10 has it of cryptography
        return jwt.PyJWK(entry)

    monkeypatch.setattr(keys, "jwt", SimpleNamespace(PyJWK=make, PyJWTError=jwt.PyJWTError))
    (good,) = json.loads(public_keys({"a": second}))["keys"]
    bad = {**good, "kid": "b", "x": "AAAA"}
    assert set(read_keys(json.dumps({"keys": [bad, good]}).encode())) == {"a"}
    assert "a key of an issuer is left out" in caplog.text


async def test_an_issuer_that_speaks_no_http(
    first: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    """It is one that cannot be asked: the keys from before stay."""
    issuer = Issuer({"a": first})
    keys = Keys(issuer.fetch, "the test", Clock())
    await keys.key("a")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_babble, args=(listener,), daemon=True)
        thread.start()
        issuer.fetch = from_address(f"http://127.0.0.1:{listener.getsockname()[1]}/keys")  # type: ignore[method-assign]
        await Keys(issuer.fetch, "the babbler", Clock()).refresh()
        thread.join(10)
    assert "the keys of the babbler cannot be fetched" in caplog.text


def _babble(listener: socket.socket) -> None:
    with listener.accept()[0] as connection:
        connection.recv(1 << 16)
        connection.sendall(b"what?\r\n\r\n")


class _Pages(BaseHTTPRequestHandler):
    """Serves what the test has put under each path."""

    pages: dict[str, bytes]

    def do_GET(self) -> None:
        """Answers with the page, or sends elsewhere."""
        page = self.pages.get(self.path)
        if page is None:
            self.send_response(302)
            self.send_header("Location", "/keys")
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def site(first: rsa.RSAPrivateKey) -> Iterator[str]:
    """The address of an issuer on this machine."""
    pages = {"/keys": public_keys({"a": first})}
    server = HTTPServer(("127.0.0.1", 0), type("Pages", (_Pages,), {"pages": pages}))
    address = f"http://127.0.0.1:{server.server_port}"
    discovery = "/.well-known/openid-configuration"
    pages[discovery] = json.dumps({"issuer": address, "jwks_uri": f"{address}/keys"}).encode()
    pages["/other" + discovery] = pages[discovery]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def test_keys_of_files_addresses_and_issuers(site: str, first: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    """All three give the same set."""
    text = public_keys({"a": first})
    (tmp_path / "keys.json").write_bytes(text)
    for fetch in (from_file(tmp_path / "keys.json"), from_address(f"{site}/keys"), from_issuer(site)):
        assert fetch() == text


def test_an_issuer_speaks_for_itself_only(site: str) -> None:
    """What names another issuer, or sends elsewhere, is no answer."""
    with pytest.raises(ValueError, match="another issuer"):
        from_issuer(f"{site}/other")()
    with pytest.raises(OSError, match="302"):
        from_address(f"{site}/moved")()


@pytest.mark.parametrize("address", ["http://issuer.example", "file:///etc/passwd", "issuer.example", ""])
def test_keys_come_over_nothing_that_others_could_change(address: str) -> None:
    """Plain HTTP to other machines is refused, and so is what is no address."""
    for make in (from_address, from_issuer):
        with pytest.raises(ValueError, match="https://"):
            make(address)

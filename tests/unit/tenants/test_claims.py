"""JWTs: which hold, and what they say of their bearers."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from unit.tenants.issuing import AUDIENCE, ISSUER, claims, public_keys, rsa_key, signed

from pullback_server.errors import AccessError, Reason
from pullback_server.tenants.callers import Caller, Role
from pullback_server.tenants.claims import Trust, Verifier
from pullback_server.tenants.keys import Keys


def verifier(keys: dict[str, Any], **changes: Any) -> Verifier:
    """Trusts the issuer with these keys."""
    text = public_keys(keys)
    return Verifier(Trust(ISSUER, AUDIENCE, **changes), Keys(lambda: text, "the test"))


def _encoded(header: dict[str, str]) -> str:
    """Header and claims of a token, for signatures that no library would make."""
    return ".".join(_base64(json.dumps(part).encode()) for part in (header, claims()))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refusal(trusting: Verifier, token: str) -> AccessError:
    """Why a token is refused."""
    with pytest.raises(AccessError) as caught:
        await trusting.identify(token)
    assert token not in caught.value.message
    return caught.value


async def test_a_good_token_is_its_bearers(first: rsa.RSAPrivateKey) -> None:
    """Tenant, subject, role and end come from the claims."""
    end = int(time.time()) + 100
    identity = await verifier({"first": first}).identify(signed(first, exp=end))
    assert identity.caller == Caller("acme", "ann", Role.REGISTER)
    assert identity.expires == end + 30


async def test_a_subject_can_be_told(first: rsa.RSAPrivateKey) -> None:
    """Halves of characters, which JSON can have, stand in no log and no message."""
    identity = await verifier({"first": first}).identify(signed(first, sub="an\ud800n"))
    assert identity.caller.subject == "an?n"


@pytest.mark.parametrize("algorithm", ["RS512", "PS256"])
async def test_every_algorithm_of_an_rsa_key_holds(first: rsa.RSAPrivateKey, algorithm: str) -> None:
    """A key that does not name its algorithm may be used with each of its kind."""
    token = signed(first, algorithm=algorithm)
    assert (await verifier({"first": first}).identify(token)).caller.subject == "ann"


async def test_keys_on_curves_hold(first: rsa.RSAPrivateKey, second: ec.EllipticCurvePrivateKey) -> None:
    """Each token is checked with the key that it names."""
    trusting = verifier({"first": first, "second": second})
    assert (await trusting.identify(signed(second, "second"))).caller.tenant == "acme"
    assert (await refusal(trusting, signed(second, "first"))).reason is Reason.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1_000_000}, "has expired"),
        ({"nbf": 1 << 33}, "not hold yet"),
        ({"aud": "another"}, "not made for this server, whose audience is 'pullback'"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": None}, "lacks the claim 'exp'"),
        ({"aud": None}, "aud"),
        ({"sub": None}, "lacks the claim 'sub'"),
    ],
)
async def test_what_does_not_hold(first: rsa.RSAPrivateKey, changes: dict[str, Any], words: str) -> None:
    """A token that is out of date or for others is refused, and the message says why."""
    error = await refusal(verifier({"first": first}), signed(first, **changes))
    assert error.reason is Reason.UNAUTHENTICATED
    assert words in error.message


async def test_clocks_may_differ_a_little(first: rsa.RSAPrivateKey) -> None:
    """A token that expired within the leeway holds, one from before that does not."""
    trusting = verifier({"first": first}, leeway=50.0)
    now = time.time()
    assert (await trusting.identify(signed(first, exp=int(now) - 20))).caller.subject == "ann"
    assert "expired" in (await refusal(trusting, signed(first, exp=int(now) - 80))).message


async def test_a_token_of_another_key_is_refused(first: rsa.RSAPrivateKey) -> None:
    """The name of a key is not the key."""
    assert "signature" in (await refusal(verifier({"first": first}), signed(rsa_key()))).message


async def test_a_token_without_signature_is_refused(first: rsa.RSAPrivateKey) -> None:
    """Neither `none` nor what is left of a good one when its signature is cut off."""
    trusting = verifier({"first": first})
    bare = _encoded({"alg": "none", "kid": "first"}) + "."
    assert "'none'" in (await refusal(trusting, bare)).message
    cut = signed(first).rpartition(".")[0] + "."
    assert (await refusal(trusting, cut)).reason is Reason.UNAUTHENTICATED


async def test_a_public_key_is_no_shared_secret(first: rsa.RSAPrivateKey) -> None:
    """Who signs by HS256 with the issuer's public key, which everybody has, is refused."""
    trusting = verifier({"first": first})
    public = first.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = _encoded({"alg": "HS256", "kid": "first"})
    forged = f"{text}.{_base64(hmac.digest(public, text.encode(), 'sha256'))}"
    assert "'HS256'" in (await refusal(trusting, forged)).message


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "pb_0123", "Ä.Ö.Ü", "a" * 9000])
async def test_what_is_no_token_is_refused(first: rsa.RSAPrivateKey, token: str) -> None:
    """Anything else is told to be neither."""
    with pytest.raises(AccessError, match="neither"):
        await verifier({"first": first}).identify(token)


@pytest.mark.parametrize("tenant", [None, "", "a/b", 7, ["acme"], "x" * 129])
async def test_a_token_without_a_tenant_is_denied(first: rsa.RSAPrivateKey, tenant: Any) -> None:
    """Who it is may be clear, but not whose functions these are."""
    error = await refusal(verifier({"first": first}), signed(first, tenant=tenant))
    assert error.reason is Reason.PERMISSION_DENIED
    assert "'tenant'" in error.message


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"role": "evaluate"}, Role.EVALUATE),
        ({"role": ["viewer", "administer", "evaluate"]}, Role.ADMINISTER),
        ({"role": None, "scope": "openid pullback:register profile"}, Role.REGISTER),
        ({"role": "evaluate", "scope": "pullback:administer"}, Role.EVALUATE),
    ],
)
async def test_roles_come_from_texts_lists_and_scopes(
    first: rsa.RSAPrivateKey, changes: dict[str, Any], role: Role
) -> None:
    """The highest role of the first claim that is there counts."""
    identity = await verifier({"first": first}).identify(signed(first, **changes))
    assert identity.caller.role is role


@pytest.mark.parametrize("role", [None, "", "root", "registered", ["openid"]])
async def test_a_token_without_a_role_is_denied(first: rsa.RSAPrivateKey, role: Any) -> None:
    """A word that is no role gives none."""
    error = await refusal(verifier({"first": first}), signed(first, role=role))
    assert error.reason is Reason.PERMISSION_DENIED


async def test_claims_can_lie_deeper_and_have_names_with_dots(first: rsa.RSAPrivateKey) -> None:
    """As Keycloak nests roles, and as Auth0 names claims."""
    trusting = verifier(
        {"first": first}, tenant_claim="https://acme.example/team", role_claims=("realm_access.roles",)
    )
    changes = {"https://acme.example/team": "zeta", "realm_access": {"roles": ["register"]}}
    identity = await trusting.identify(signed(first, role=None, **changes))
    assert identity.caller == Caller("zeta", "ann", Role.REGISTER)

"""An issuer of JWTs with keys of its own, as tests need them."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

ISSUER = "https://issuer.example"
AUDIENCE = "pullback"


def rsa_key() -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public_keys(keys: dict[str, PrivateKeyTypes]) -> bytes:
    """The JSON Web Key Set of these keys, by their ids."""
    return json.dumps({"keys": [_public(kid, key) for kid, key in keys.items()]}).encode()


def _public(kid: str, key: Any) -> dict[str, Any]:
    algorithms = jwt.algorithms
    kind = algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, with changes; None leaves a claim out."""
    now = int(time.time())
    usual = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "exp": now + 3600,
        "iat": now,
        "tenant": "acme",
        "role": "register",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(key: Any, kid: str | None = "first", algorithm: str | None = None, **changes: Any) -> str:
    """A token, by default with the usual algorithm of the key."""
    chosen = algorithm or ("RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256")
    return jwt.encode(claims(**changes), key, chosen, headers=None if kid is None else {"kid": kid})

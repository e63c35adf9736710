"""Keys of an issuer, made once."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from unit.tenants.issuing import ec_key, rsa_key


@pytest.fixture(scope="session")
def first() -> rsa.RSAPrivateKey:
    """An RSA key."""
    return rsa_key()


@pytest.fixture(scope="session")
def second() -> ec.EllipticCurvePrivateKey:
    """A key on a curve."""
    return ec_key()

"""Whose a JWT is (RFC 7519): by its signature, its dates, for whom it was made, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

from pullback.program.naming import is_name
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.tenants.callers import Caller, Role
from pullback_server.tenants.identity import Identity
from pullback_server.tenants.keys import Keys

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Those of public keys. With the others, who can check a token could make one."""
_NEEDED: Final = ("exp", "iss", "aud", "sub")
# A key of another kind than the algorithm's is a TypeError; a claim can be of any type.
_FAULTS: Final = (jwt.PyJWTError, TypeError, ValueError, OverflowError)
_PREFIX: Final = "pullback:"
_LONGEST_SUBJECT: Final = 200


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose JWTs hold, and which of their claims say what. See the settings that begin with `oidc_`.

    Attributes:
        issuer: Who must have made them.
        audience: For whom they must have been made.
        tenant_claim: The claim that names the tenant.
        role_claims: The claims that may name the role; the first that is there counts.
        leeway: By how many seconds the clocks may differ.
    """

    issuer: str
    audience: str
    tenant_claim: str = "tenant"
    role_claims: tuple[str, ...] = ("role", "scope")
    leeway: float = 30.0


class Verifier:
    """Says whose JWTs are.

    Args:
        trust: Which ones hold.
        keys: The issuer's keys.
    """

    def __init__(self, trust: Trust, keys: Keys) -> None:
        self._trust = trust
        self._keys = keys

    def when_keys_replaced(self, act: Callable[[], object]) -> None:
        """Has something called whenever the issuer's keys were fetched: what held before may not now."""
        self._keys.when_replaced(act)

    async def identify(self, token: str) -> Identity:
        """Whose a JWT is.

        Raises:
            ServiceError: UNAUTHENTICATED if it does not hold, PERMISSION_DENIED if it gives no tenant or no
                role, NOT_READY if the issuer's keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise untrusted("it is neither a token that the server has now nor a JWT") from error
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise untrusted(
                f"it is signed by {str(algorithm)[:20]!r}; the issuer must use one of {', '.join(ALGORITHMS)}"
            )
        key = await self._keys.key(None if kid is None else str(kid))
        return self._identity(self._claims(token, key, str(algorithm)))

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        trust = self._trust
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=trust.issuer,
                audience=trust.audience,
                leeway=trust.leeway,
                options={"require": list(_NEEDED)},
            )
        except _FAULTS as error:
            raise untrusted(self._why(error)) from error
        return claims

    def _why(self, error: Exception) -> str:
        match error:
            case jwt.ExpiredSignatureError():
                return "it has expired; get a new one from its issuer"
            case jwt.ImmatureSignatureError():
                return "it does not hold yet; the clocks of its issuer and the server may differ"
            case jwt.InvalidAudienceError():
                return f"it is not made for this server, whose audience is {self._trust.audience!r}"
            case jwt.InvalidIssuerError():
                return f"it is of another issuer than {self._trust.issuer!r}"
            case jwt.MissingRequiredClaimError():
                return f"it lacks the claim {error.claim!r}"
            case _:
                return "its signature does not hold"

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        trust = self._trust
        tenant = _claim(claims, trust.tenant_claim)
        if not isinstance(tenant, str) or not is_name(tenant):
            raise _denied(f"its claim {trust.tenant_claim!r} names no tenant")
        role = _highest(_words(claims, trust.role_claims))
        if role is None:
            names = " and ".join(map(repr, trust.role_claims))
            raise _denied(f"its claims {names} name none of the roles {', '.join(Role)}")
        # JSON can have halves of characters, which no message and no log takes.
        subject = str(claims["sub"])[:_LONGEST_SUBJECT].encode(errors="replace").decode()
        expires = float(claims["exp"]) + trust.leeway
        return Identity(Caller(tenant, subject, role), expires, issued=True)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path of names with dots between."""
    found: Any = claims.get(name)
    if found is not None or "." not in name:
        return found
    found = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(claims: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The words of the first claim that is there: a text of words, or a list of them."""
    found = next((value for name in names if (value := _claim(claims, name)) is not None), "")
    return found.split() if isinstance(found, str) else [str(word) for word in found]


def _highest(words: Iterable[str]) -> Role | None:
    """The highest role that words name, as they are or as scopes such as `pullback:register`."""
    named = {word.removeprefix(_PREFIX) for word in words}
    return next((role for role in reversed(Role) if role.value in named), None)


def untrusted(why: str) -> ServiceError:
    """The error of a token that does not hold."""
    return service_error(Reason.UNAUTHENTICATED, f"the token is not accepted: {why}")


def _denied(why: str) -> ServiceError:
    return service_error(
        Reason.PERMISSION_DENIED,
        f"the token is valid, but {why}; have its issuer add that, or set the server's oidc_tenant_claim and "
        "oidc_role_claim",
    )

"""Reads the tenants file, and says which key of it has which value that it cannot have."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AwareDatetime,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from pullback.program.naming import NAME
from pullback_server.tenants.callers import Role
from pullback_server.tenants.directory import Certificate, Directory, Tenant, Token

_Name = Annotated[str, Field(pattern=f"^{NAME}$")]
_Subject = Annotated[str, Field(min_length=1)]
_STRICT: Final = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
# Somebody may have written a secret where its hash belongs, and messages go to logs.
_SECRETS: Final = frozenset({"sha256"})


class TenantsFileError(ValueError):
    """The tenants file cannot be read, or has a key or a value that it cannot have."""


class _Token(BaseModel):
    model_config = _STRICT
    name: _Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    role: Role
    expires: AwareDatetime | None = None


class _Certificate(BaseModel):
    model_config = _STRICT
    subject: _Subject
    role: Role


class _Limits(BaseModel):
    model_config = _STRICT
    weight: PositiveFloat = 1.0
    max_in_flight: PositiveInt | None = None
    requests_per_second: PositiveFloat | None = None
    burst: PositiveInt | None = None
    max_functions: NonNegativeInt | None = None
    max_stored_bytes: ByteSize | None = None


class _Tenant(_Limits):
    tokens: tuple[_Token, ...] = ()
    certificates: tuple[_Certificate, ...] = ()


class _File(BaseModel):
    model_config = _STRICT
    defaults: _Limits | None = None
    tenants: dict[_Name, _Tenant] = {}


def read_directory(path: Path) -> Directory:
    """Reads a tenants file.

    Args:
        path: A TOML file: `[tenants.<name>]` for each tenant, and `[defaults]` for what they leave out.

    Raises:
        TenantsFileError: If it cannot be read, or has a key or a value that it cannot have.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TenantsFileError(f"the tenants file {path} cannot be read: {error}") from error
    try:
        file = _File.model_validate(entries)
    except ValidationError as error:
        raise TenantsFileError(_explain(error, path)) from error
    return _directory(file, path)


def _directory(file: _File, path: Path) -> Directory:
    shared = file.defaults.model_dump(exclude_unset=True) if file.defaults else {}
    tenants = [_tenant(name, shared, entry) for name, entry in file.tenants.items()]
    tokens = (token.sha256 for tenant in tenants for token in tenant.tokens)
    certificates = (certificate.subject for tenant in tenants for certificate in tenant.certificates)
    _require_different(tokens, "sha256 of tokens", path)
    _require_different(certificates, "subject of certificates", path)
    return Directory(tenants, Tenant("", **shared) if file.defaults else None)


def _tenant(name: str, shared: dict[str, Any], entry: _Tenant) -> Tenant:
    own = entry.model_dump(exclude_unset=True, exclude={"tokens", "certificates"})
    return Tenant(
        name,
        **(shared | own),
        tokens=tuple(Token(**token.model_dump()) for token in entry.tokens),
        certificates=tuple(Certificate(**each.model_dump()) for each in entry.certificates),
    )


def _require_different(values: Iterable[str], what: str, path: Path) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise TenantsFileError(
                f"the tenants file {path} has the {what} {value!r} twice; each can be of one caller only"
            )
        seen.add(value)


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for problem in error.errors():
        *_, last = keys = [str(key) for key in problem["loc"] if key != "[key]"]
        key = ".".join(keys)
        if problem["type"] == "extra_forbidden":
            lines.append(f"the tenants file {path} has the unknown key {key}")
        elif problem["type"] == "missing":
            lines.append(f"the tenants file {path} lacks the key {key}")
        else:
            value = "what it is" if last in _SECRETS else repr(problem["input"])
            lines.append(f"in the tenants file {path}, {key} cannot be {value}: {problem['msg']}")
    return "\n".join(lines)

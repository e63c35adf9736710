"""The tenants file: what it may say, whose credentials are whose, and how a new one replaces it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pullback_server.tenants.callers import Caller, Role
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.directory import Directory, Tenant
from pullback_server.tenants.reading import TenantsFileError, read_directory

FIRST = "pb_the-first"
SECOND = "pb_the-second"


def digest(secret: str) -> str:
    """The hash that the file has of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


FILE = f"""
[tenants.acme]
weight = 3
max_in_flight = 7
requests_per_second = 2.5
burst = 4
max_functions = 0
max_stored_bytes = "2GiB"

[[tenants.acme.tokens]]
name = "ci"
sha256 = "{digest(FIRST)}"
role = "register"
expires = 2031-05-06T07:08:09+02:00

[[tenants.acme.certificates]]
subject = "spiffe://acme/lab"
role = "administer"

[tenants.zeta]
[[tenants.zeta.tokens]]
name = "notebook"
sha256 = "{digest(SECOND)}"
role = "evaluate"
"""


def written(folder: Path, text: str) -> Path:
    """A tenants file with this text."""
    path = folder / "tenants.toml"
    path.write_text(text)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """What FILE says."""
    return read_directory(written(tmp_path, FILE))


def test_limits_are_read(directory: Directory) -> None:
    """Every limit of a tenant arrives, in its unit."""
    acme = directory.tenant("acme")
    assert (acme.weight, acme.max_in_flight, acme.requests_per_second, acme.burst) == (3.0, 7, 2.5, 4)
    assert (acme.max_functions, acme.max_stored_bytes) == (0, 2 << 30)


def test_what_is_left_out_has_the_default(directory: Directory) -> None:
    """A tenant without limits has the weight one and none of them."""
    zeta = directory.tenant("zeta")
    assert (zeta.weight, zeta.max_in_flight, zeta.max_functions, len(zeta.tokens)) == (1.0, None, None, 1)


def test_a_token_is_its_callers(directory: Directory) -> None:
    """Each secret belongs to the tenant, the name and the role of its hash."""
    assert directory.by_token(FIRST) == Caller("acme", "ci", Role.REGISTER)
    assert directory.by_token(SECOND) == Caller("zeta", "notebook", Role.EVALUATE)


@pytest.mark.parametrize("secret", ["", "pb_", FIRST + "x", digest(FIRST), "\ud7ff"])
def test_what_is_no_token_is_nobodys(directory: Directory, secret: str) -> None:
    """Nothing but the secret itself will do, least of all its hash."""
    assert directory.by_token(secret) is None


def test_no_hash_of_zeros_is_anybodys() -> None:
    """An empty directory knows nobody."""
    assert Directory().by_token("") is None
    assert not Directory().has_credentials


def test_a_token_says_when_it_expires(directory: Directory) -> None:
    """The moment comes in seconds, whatever its zone; without one there is none."""
    identity, forever = directory.identify(FIRST), directory.identify(SECOND)
    assert identity is not None
    assert forever is not None
    assert identity.expires == datetime(2031, 5, 6, 5, 8, 9, tzinfo=UTC).timestamp()
    assert forever.expires is None


def test_the_first_known_name_of_a_certificate_counts(directory: Directory) -> None:
    """A certificate with several names is known by any of them."""
    found = directory.by_certificate(["dns.example", "spiffe://acme/lab"])
    assert found is not None
    assert found.caller == Caller("acme", "spiffe://acme/lab", Role.ADMINISTER)
    assert directory.by_certificate(["dns.example"]) is None


def test_only_named_tenants_are_known(directory: Directory) -> None:
    """A file without defaults has no other tenants, but gives one for every name."""
    assert "acme" in directory
    assert "nobody" not in directory
    assert directory.tenant("nobody") == Tenant("nobody")


def test_defaults_hold_for_those_who_say_nothing_else(tmp_path: Path) -> None:
    """Defaults are everybody's, also those of tenants that are not named."""
    text = "[defaults]\nweight = 0.5\nmax_functions = 9\n[tenants.a]\nweight = 4\n"
    directory = read_directory(written(tmp_path, text))
    assert (directory.tenant("a").weight, directory.tenant("a").max_functions) == (4.0, 9)
    assert directory.tenant("b") == Tenant("b", weight=0.5, max_functions=9)
    assert "b" in directory


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tenants.a]\nwait = 1\n", ["unknown key tenants.a.wait"]),
        ("[tenants.a]\nweight = 0\n", ["tenants.a.weight", "0"]),
        ("[tenants.a]\nweight = nan\n", ["tenants.a.weight", "nan"]),
        ("[tenants.'a/b']\n", ["tenants.a/b", "'a/b'"]),
        ("[tenants.a]\nmax_in_flight = 'many'\n", ["tenants.a.max_in_flight", "'many'"]),
        ("[[tenants.a.tokens]]\nname = 'x'\nrole = 'root'\n", ["tokens.0.role", "'root'", "lacks the key"]),
        ("[tenants.a", ["cannot be read"]),
        ("[[tenants.a.certificates]]\nsubject = ''\nrole = 'register'\n", ["certificates.0.subject"]),
    ],
)
def test_what_will_not_do_is_told_by_file_key_and_value(tmp_path: Path, text: str, words: list[str]) -> None:
    """Whoever wrote the file finds what to mend."""
    path = written(tmp_path, text)
    with pytest.raises(TenantsFileError) as caught:
        read_directory(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_secret_where_its_hash_belongs_is_not_repeated(tmp_path: Path) -> None:
    """What may be a secret stays out of messages."""
    path = written(tmp_path, f"[[tenants.a.tokens]]\nname = 'x'\nrole = 'register'\nsha256 = '{FIRST}'\n")
    with pytest.raises(TenantsFileError, match=r"tenants\.a\.tokens\.0\.sha256") as caught:
        read_directory(path)
    assert FIRST not in str(caught.value)


def test_one_secret_cannot_be_of_two_callers(tmp_path: Path) -> None:
    """The same hash twice is refused, since it would be chance whose it is."""
    with pytest.raises(TenantsFileError, match="twice"):
        read_directory(written(tmp_path, FILE.replace(digest(SECOND), digest(FIRST))))


def test_a_new_file_replaces_the_old_as_a_whole(tmp_path: Path) -> None:
    """Nothing changes while it is read; then only the new file counts, and whoever watches is told."""
    path = written(tmp_path, FILE)
    current, told = CurrentDirectory(path), list[int]()
    current.when_replaced(lambda: told.append(len(current.directory)))
    written(tmp_path, "[tenants.zeta]\nweight = 2\n")
    replace = current.reread()
    assert current.directory.by_token(FIRST) is not None
    assert not told
    replace()
    assert current.directory.by_token(FIRST) is None
    assert current.tenant("zeta").weight == 2.0
    assert told == [1]


def test_a_new_file_that_will_not_do_changes_nothing(tmp_path: Path) -> None:
    """The old directory stays, and the error says why."""
    current = CurrentDirectory(written(tmp_path, FILE))
    written(tmp_path, "[tenants.acme]\nweight = -1\n")
    with pytest.raises(TenantsFileError, match=r"tenants\.acme\.weight"):
        current.reread()
    assert current.tenant("acme").weight == 3.0


def test_a_server_without_a_file_knows_every_tenant_and_nobody() -> None:
    """Every tenant has the defaults, and no credentials show anything."""
    current = CurrentDirectory()
    current.reread()()
    assert "any" in current.directory
    assert current.tenant("any") == Tenant("any")
    assert not current.directory.has_credentials

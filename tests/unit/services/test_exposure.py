"""Which addresses other machines reach, and what it takes to listen there."""

from __future__ import annotations

import logging

import pytest

from pullback_server.services.exposure import ExposureError, check_exposure, is_of_this_machine

HERE = ["127.0.0.1:7450", "localhost:0", "[::1]:7450", "127.1.2.3:1", "unix:/run/socket"]
OPEN = [
    "0.0.0.0:7450",
    "[::]:7450",
    "10.0.0.1:1",
    "example.org:7450",
    "localhost.evil.org:1",
    ":7450",
    "7450",
]


@pytest.mark.parametrize("address", HERE)
def test_addresses_of_this_machine_take_nothing(address: str) -> None:
    """A server may listen there as it is."""
    assert is_of_this_machine(address)
    check_exposure([address], encrypted=False, asks=False, insecure=False)


@pytest.mark.parametrize("address", OPEN)
@pytest.mark.parametrize(
    ("encrypted", "asks", "words"),
    [
        (False, False, "may do everything, and all data crosses the network without encryption"),
        (True, False, "does not ask who calls"),
        (False, True, "tokens and data would cross the network"),
    ],
)
def test_other_addresses_take_encryption_and_questions(
    address: str, encrypted: bool, asks: bool, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without both a server does not start, or warns where somebody wants it so."""
    assert not is_of_this_machine(address)
    with pytest.raises(ExposureError, match=words) as caught:
        check_exposure([*HERE, address], encrypted=encrypted, asks=asks, insecure=False)
    assert str(caught.value).startswith(f"{address} can be reached")
    assert not caplog.records
    check_exposure([*HERE, address], encrypted=encrypted, asks=asks, insecure=True)
    (record,) = caplog.records
    assert (record.levelno, words in record.message) == (logging.WARNING, True)


@pytest.mark.parametrize("insecure", [False, True])
def test_a_guarded_server_may_listen_anywhere(insecure: bool, caplog: pytest.LogCaptureFixture) -> None:
    """And is not warned of."""
    check_exposure(OPEN, encrypted=True, asks=True, insecure=insecure)
    assert not caplog.records

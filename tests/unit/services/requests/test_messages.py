"""Messages that are too large."""

from __future__ import annotations

import pytest

from pullback_server.errors import PressureError, Reason
from pullback_server.services.requests.messages import check_message, held_to


def test_what_is_read() -> None:
    """What is as large as it may be is read; one byte more is refused with both numbers."""
    read = held_to(3, len)
    assert read(b"abc") == 3
    with pytest.raises(
        PressureError, match=r"the request has 4 bytes; .*\(max_message_bytes, .*\) is 3; "
    ) as caught:
        read(b"abcd")
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE
    assert (caught.value.metadata["value"], caught.value.metadata["limit"]) == ("4", "3")


def test_of_a_stream() -> None:
    """All requests of the stream hear of it, and so they are told that it was one of them, and what to do."""
    with pytest.raises(
        PressureError, match=r"one request of the stream, which ends with it, has 4 bytes"
    ) as caught:
        held_to(3, len, streams=True)(b"abcd")
    assert "can be sent again on another stream" in caught.value.message
    check_message(3, 3, streams=True)

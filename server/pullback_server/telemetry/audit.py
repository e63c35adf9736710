"""The audit log: one JSON object a line, of who changed what and who was turned away.

It is a logger of its own, which nothing else writes to. A line is on its way to the file's disk when `write`
returns. Where the file cannot be written, as on a full disk, the server goes on: its own log says so once,
and has the lines until the file can be written again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from typing import Final

_log = logging.getLogger(__name__)
_audit = logging.getLogger("pullback.audit")
_audit.propagate = False
_audit.setLevel(logging.INFO)
_audit.disabled = True

# Its owner writes; a collector of its group may read.
_MODE: Final = 0o640

STANDARD_ERROR: Final = "-"
"""What stands for standard error in the place of a file."""


@contextlib.contextmanager
def audit_to(target: str) -> Iterator[None]:
    """Has the audit log written inside the block.

    Args:
        target: A file, which is opened anew when it was moved away; STANDARD_ERROR; or empty for nowhere.

    Raises:
        OSError: If the file cannot be opened.
    """
    if not target:
        yield
        return
    handler = logging.StreamHandler(sys.stderr) if target == STANDARD_ERROR else _File(target)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _audit.addHandler(handler)
    _audit.disabled = False
    try:
        yield
    finally:
        _audit.disabled = True
        _audit.removeHandler(handler)
        handler.close()


def audited() -> bool:
    """Whether anything is written."""
    return not _audit.disabled


def write(entry: Mapping[str, str]) -> None:
    """Writes an entry, with the time and without what is empty; blocks until the system has taken it."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry}
    _audit.info(json.dumps({key: value for key, value in line.items() if value}, ensure_ascii=False))


class _File(WatchedFileHandler):
    """A file that may be moved away, and whose disk may be full."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8")
        self._failing = False

    def _open(self) -> TextIOWrapper:
        """Opens the file, and has it closed to others where it is new."""
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            opener=lambda path, flags: os.open(path, flags, _MODE),
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, or leaves it to the server's log."""
        try:
            self._write(self.format(record) + self.terminator)
        except OSError as error:
            self._fail(record, error)
        else:
            self._failing = False

    def _write(self, line: str) -> None:
        self.reopenIfNeeded()
        if self.stream is None:
            self.stream = self._open()
            self._statstream()
        # What failed may have left a part of a line.
        self.stream.write(self.terminator + line if self._failing else line)
        self.stream.flush()

    def _fail(self, record: logging.LogRecord, error: OSError) -> None:
        if not self._failing:
            _log.error("the audit log %s fails, and is continued here: %s", self.baseFilename, error)
        self._failing = True
        _log.warning("audit: %s", record.getMessage())
        stream, self.stream = self.stream, None
        if stream is not None:
            # It would write what it has in hand once more.
            with contextlib.suppress(OSError):
                stream.close()

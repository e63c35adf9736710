"""What was in hand when something died, and the last requests before, as files.

There are few files of bounded size, and no tensors in them. They are written by another thread; where the
disk refuses, the log says so, and everything goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from pullback_server.telemetry.recorder import Record, Recorder
from pullback_server.telemetry.requests import request_id

_log = logging.getLogger(__name__)

_MOST_FILES: Final = 32
_MOST_RECORDS: Final = 1000
_LONGEST_TEXT: Final = 1 << 16
# Errors can come by the thousand, and the first of them tells most.
_PAUSE_SECONDS: Final = 1.0


class Moment(NamedTuple):
    """What a server had in hand at some time; to be read once.

    Attributes:
        in_hand: What had begun and not ended.
        recent: What had ended last.
    """

    in_hand: Iterable[Record]
    recent: Iterable[Record]


class Crashes:
    """Writes such files, and removes the oldest of them.

    Args:
        folder: Where they go; made with the first.
        recorder: What is written.
        most_files: How many are kept.
    """

    def __init__(self, folder: Path, recorder: Recorder, most_files: int = _MOST_FILES) -> None:
        self._folder = folder
        self._recorder = recorder
        self._most_files = most_files
        self._writing: set[asyncio.Future[None]] = set()
        self._last_error = -_PAUSE_SECONDS

    def now(self) -> Moment:
        """What is in hand now, and the last requests, to be written later."""
        return Moment(self._recorder.open(), self._recorder.recent(_MOST_RECORDS))

    def worker_died(self, worker: str, cause: str, moment: Moment | None = None) -> None:
        """Writes what was in hand when a worker died: at a moment, or now."""
        details = {"worker": worker, "cause": cause}
        self._write(f"worker {worker} died: {cause}", details, moment or self.now())

    def unforeseen(self, error: BaseException) -> None:
        """Writes what was in hand at an error that nobody foresaw, at most one file a second."""
        now = time.monotonic()
        if now - self._last_error < _PAUSE_SECONDS:
            return
        self._last_error = now
        lines = "".join(traceback.format_exception(error))[-_LONGEST_TEXT:]
        what = f"an error that nobody foresaw: {type(error).__name__}"
        self._write(what, {"traceback": lines, "request_id": request_id.get()}, self.now())

    async def written(self) -> None:
        """Returns when all files are written that were begun."""
        while self._writing:
            await asyncio.wait(self._writing)

    def _write(self, what: str, details: dict[str, str], moment: Moment) -> None:
        now = datetime.now(UTC)
        path = self._folder / f"{now:%Y%m%dT%H%M%S.%fZ}.json"
        head: dict[str, object] = {"time": now.isoformat(), "what": what, **details}
        writing = asyncio.get_running_loop().run_in_executor(None, self._store, path, head, moment)
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    def _store(self, path: Path, head: dict[str, object], moment: Moment) -> None:
        head["in_hand"] = [record._asdict() for record in islice(moment.in_hand, _MOST_RECORDS)]
        head["recent"] = [record._asdict() for record in moment.recent]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_text(json.dumps(head, indent=1), encoding="utf-8")
            unfinished.replace(path)
            self._forget_oldest()
        except OSError as error:
            _log.error("what was in hand when %s could not be written: %s", head["what"], error)
        else:
            _log.error("%s; what was in hand and the last requests are in %s", head["what"], path)

    def _forget_oldest(self) -> None:
        files = sorted(self._folder.glob("*.json"))
        for path in files[: -self._most_files]:
            path.unlink(missing_ok=True)

"""Logging: to standard error, as text for people or as JSON lines for collectors."""

from __future__ import annotations

import json
import logging
import sys
import time
from enum import StrEnum
from types import TracebackType
from typing import Final

from pullback_server.model.tickets import ticket
from pullback_server.telemetry.requests import method, request_id

# What others chose, such as a name in a message, makes no line of its own and moves no cursor.
_CONTROL: Final = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
_CONTROL_IN_LINES: Final = {code: text for code, text in _CONTROL.items() if code != ord("\n")}
_TEXT: Final = "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s%(request)s"

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


def set_up_logging(level: str, format_: LogFormat) -> None:
    """Sends all logs of this process to standard error.

    Args:
        level: The lowest level that is written, such as `INFO`.
        format_: Text or JSON lines.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if format_ is LogFormat.JSON else _TextFormatter(_TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _about() -> dict[str, str]:
    """What is known of the request that is being served; without what is empty."""
    about = {"request_id": request_id.get(), "tenant": ticket.get().tenant, "method": method.get()}
    if tracing := sys.modules.get("opentelemetry.trace"):
        context = tracing.get_current_span().get_span_context()
        about["trace_id"] = tracing.format_trace_id(context.trace_id) if context.is_valid else ""
    return {name: value for name, value in about.items() if value}


class _TextFormatter(logging.Formatter):
    """One line for people, with the request that it is about where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        about = _about()
        record.request = (
            f" [{', '.join(f'{name} {value}' for name, value in about.items())}]" if about else ""
        )
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - a name of logging's
        """The line without what follows it, which is an exception's stack."""
        return super().formatMessage(record).translate(_CONTROL)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - a name of logging's
        """The stack, whose lines are indented: an exception's text may have some that others chose."""
        return super().formatException(ei).translate(_CONTROL_IN_LINES).replace("\n", "\n  ")


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        line |= _about()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)

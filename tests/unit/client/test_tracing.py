"""Clients of programs without OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_is_touched() -> None:
    """Where OpenTelemetry was not imported, the channel stays as it is, and it is not imported."""
    program = (
        "import sys, pullback\n"
        "from pullback._tracing import traced\n"
        "channel = object()\n"
        "assert traced(channel) is channel\n"
        "with pullback.connect('127.0.0.1:1'): pass\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

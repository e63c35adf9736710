"""Starts the runtime of Tesseract on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.ports import free_port

if __name__ == "__main__":
    port = free_port()
    os.environ["TESSERACT_API_PATH"] = str(Path(__file__).with_name("tesseract_api.py"))
    # It makes a folder for each run.
    os.environ["TESSERACT_OUTPUT_PATH"] = tempfile.mkdtemp(prefix="pullback-bench-tesseract-")
    print(port, flush=True)
    runtime = Path(sys.executable).with_name("tesseract-runtime")
    command = [str(runtime), "serve", "--host", "127.0.0.1", "--port", str(port)]
    subprocess.run(command, check=True)

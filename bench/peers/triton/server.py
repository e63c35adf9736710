"""Starts tritonserver with the models, on a free port; its batcher joins requests that wait."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from peers.ports import free_port, wait_until_open
from workload import DIMENSIONS, HEAVY_DIMENSIONS

_CONFIGURATION = """
backend: "python"
max_batch_size: 1048576
input [{{ name: "x", data_type: TYPE_FP64, dims: [{size}] }}]
output [{{ name: "y", data_type: TYPE_FP64, dims: {result} }}]
instance_group [{{ kind: KIND_CPU, count: 1 }}]
dynamic_batching {{ }}
"""
_MODELS = {
    "gradient": (DIMENSIONS, [DIMENSIONS]),
    "hessian": (HEAVY_DIMENSIONS, [HEAVY_DIMENSIONS, HEAVY_DIMENSIONS]),
}


def main() -> None:
    """Serves until this process is told to end."""
    package = importlib.util.find_spec("pytriton")
    assert package is not None
    assert package.submodule_search_locations
    server = Path(package.submodule_search_locations[0]) / "tritonserver"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pullback-bench-triton-") as folder:
        models, backends = Path(folder, "models"), Path(folder, "backends")
        _write_models(models)
        _lay_out_backend(server, backends / "python")
        options = [
            f"--model-repository={models}",
            f"--backend-directory={backends}",
            "--backend-config=python,shm-default-byte-size=268435456",
            f"--grpc-port={port}",
            "--grpc-address=127.0.0.1",
            "--allow-http=false",
            "--allow-metrics=false",
        ]
        with subprocess.Popen(
            [server / "bin" / "tritonserver", *options], env=_environment(server)
        ) as process:
            try:
                wait_until_open(port)
                print(port, flush=True)
                sys.stdin.read()
            finally:
                process.terminate()


def _write_models(folder: Path) -> None:
    for name, (size, result) in _MODELS.items():
        model = folder / name
        (model / "1").mkdir(parents=True)
        (model / "config.pbtxt").write_text(_CONFIGURATION.format(size=size, result=result))
        shutil.copy(Path(__file__).with_name("model.py"), model / "1")


def _lay_out_backend(server: Path, folder: Path) -> None:
    """The backend, with the stub for this version of Python beside it, as pytriton lays it out."""
    shutil.copytree(server / "backends" / "python", folder)
    version = "{}.{}".format(*sys.version_info)
    stub = shutil.copy(server / "python_backend_stubs" / version / "triton_python_backend_stub", folder)
    Path(stub).chmod(0o755)


def _environment(server: Path) -> dict[str, str]:
    """The backend's process has an interpreter of its own, which is told where this one's things are."""
    packages = sysconfig.get_path("purelib")
    libraries = [str(sysconfig.get_config_var("LIBDIR")), str(server.parents[1] / "nvidia_pytriton.libs")]
    path = [packages, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "BENCH_MODEL_PATH": os.pathsep.join(path),
    }


if __name__ == "__main__":
    main()

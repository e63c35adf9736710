"""The Python of the pages for users runs as it stands there, against a real server."""

from __future__ import annotations

import ast
import asyncio
import inspect
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import onnx
import pytest

import pullback

ROOT = pathlib.Path(__file__).parents[2]
IMPORTS = "import asyncio, concurrent.futures, pathlib, jax, jax.export, numpy as np, pullback"
X = np.linspace(0.5, 1.5, 8)
F64 = jax.ShapeDtypeStruct((3,), "float64")


def rosenbrock(x: jax.Array) -> jax.Array:
    """The function that the pages speak of."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _of_the_client(_: pullback.Client) -> Mapping[str, Any]:
    exported = jax.export.export(jax.jit(jnp.sum))(F64)
    return {
        "exported": exported,
        "its_bytes": exported.serialize(),
        "text_or_bytes": exported.mlir_module(),
        "x": X,
        "xs": np.stack([X, 2 * X]),
        "use": lambda _: None,
    }


def _of_foreign_programs(_: pullback.Client) -> Mapping[str, Any]:
    lowered = jax.jit(lambda x, weights: x @ weights).lower(F64, F64)
    pathlib.Path("model.mlir").write_text(lowered.as_text())
    return {"f": lambda x: jnp.sum(x**2)}


def _of_two_arguments(client: pullback.Client) -> Mapping[str, Any]:
    formula = pullback.Formula("sum(sin(x)**3) * y", x="f64[3]", y="f64[]")
    return {"f": client.register(formula, name="two"), "x": np.ones(3), "y": 2.0}


def _of_models(_: pullback.Client) -> Mapping[str, Any]:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [3]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Sin", ["x"], ["y"])], "g", [x], [y])
    opset = onnx.helper.make_opsetid("", 21)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), "model.onnx")
    return {"x": np.ones(3)}


GIVEN: Mapping[str, Callable[[pullback.Client], Mapping[str, Any]]] = {
    "README.md": lambda _: {},
    "docs/client.md": lambda client: {**_of_models(client), **_of_the_client(client)},
    "docs/foreign.md": _of_foreign_programs,
    "docs/graph.md": _of_two_arguments,
    "docs/checking.md": _of_two_arguments,
    "docs/onnx.md": _of_models,
    "docs/formula.md": lambda _: {},
}
HERE = {"torch": find_spec("torchax"), "svg": find_spec("graphviz") and shutil.which("dot")}
ABSENT = [name for name, there in HERE.items() if not there]


def _blocks(page: str, address: str) -> list[str]:
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    lines = [[line for line in block.splitlines() if not any(n in line for n in ABSENT)] for block in blocks]
    return [re.sub(r"(localhost|gpu-host):7450", address, "\n".join(block)) for block in lines]


async def _run(block: str, names: dict[str, Any]) -> None:
    code = compile(block, "a page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(code, names)  # noqa: S307 -- our own pages
    if inspect.isawaitable(done):
        await done


@pytest.fixture(autouse=True)
def _wide() -> Iterator[None]:
    """With 64 bits, which a page may turn on, and afterwards as before."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("page", GIVEN)
def test_a_page(
    page: str, client: pullback.Client, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block runs, with what the blocks before it made."""
    monkeypatch.chdir(tmp_path)
    client.register(rosenbrock, X, name="rosenbrock")
    names: dict[str, Any] = {"__name__": "page", "rosenbrock": rosenbrock}
    exec(IMPORTS, names)  # noqa: S102 -- ours as well
    for block in _blocks(page, client.address):
        names |= {**GIVEN[page](client), "client": client}
        asyncio.run(_run(block, names))

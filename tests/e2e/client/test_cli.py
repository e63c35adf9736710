"""The command line against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pullback as package
from pullback.cli.commands import pullback

Run = Callable[..., Result]
MODEL = """
import jax.numpy as jnp

def loss(params, x):
    return jnp.sum(params * x**2)

def branching(x):
    return x if x > 0 else -x
"""


@pytest.fixture
def run(client: package.Client) -> Run:
    """Runs a command with the server's address."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(pullback, arguments, env={"PULLBACK_SERVER": client.address})

    return invoke


def test_a_formula_from_start_to_end(run: Run) -> None:
    """Register, list, show, evaluate, delete."""
    registered = run("register", "--formula", "sin(x)*cos(x)", "--arg", "x=f64[]", "--name", "wave")
    assert registered.output.startswith("wave@"), registered.output
    assert "(x: f64[]) -> f64[]" in registered.output
    assert "wave" in run("list").output
    assert "(x: f64[]) -> f64[]" in run("show", "wave").output
    result = run("eval", "wave", "--want", "value", "--want", "grad", "--arg", "1.0", "--json")
    values = json.loads(result.output)
    assert values["grad"] == pytest.approx(np.cos(2.0), rel=1e-14)
    text = run("eval", "wave", "--arg", "x=[0, 1]").output
    assert text == f"value = {np.sin([0.0, 1.0]) * np.cos([0.0, 1.0])}\n"
    assert run("delete", "wave").output == "Deleted wave.\n"
    missing = run("show", "wave")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "wave" in missing.stderr


def test_a_function_of_one_s_own_file(run: Run, tmp_path: Path) -> None:
    """Traced here, its derivatives written to a file."""
    (tmp_path / "cli_model.py").write_text(MODEL)
    file = tmp_path / "cli_model.py"
    registered = run(
        "register",
        f"{file}:loss",
        *("--arg", "f64[2]", "--arg", "x=f64[2]", "--label", "a=b", "--description", "a loss"),
    )
    assert registered.exit_code == 0, registered.output
    np.save(tmp_path / "xs.npy", np.ones((4, 2)))
    output = tmp_path / "out.npz"
    result = run(
        *("eval", "loss", "--want", "grad", "--want", "hessian", "--argnums", "0,1"),
        *("--arg", "[1, 2]", "--arg", f"x=@{tmp_path / 'xs.npy'}", "--output", str(output)),
    )
    assert (result.exit_code, result.output) == (0, "")
    with np.load(output) as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {
            "grad[0]": (4, 2),
            "grad[1]": (4, 2),
            "hessian[0][0]": (4, 2, 2),
            "hessian[0][1]": (4, 2, 2),
            "hessian[1][0]": (4, 2, 2),
            "hessian[1][1]": (4, 2, 2),
        }
    found = json.loads(run("list", "--label", "a=b", "--json").output)
    assert [(each["name"], each["description"], each["labels"]) for each in found] == [
        ("loss", "a loss", {"a": "b"})
    ]


def test_directions(run: Run) -> None:
    """Tangents and cotangents, and derivatives of an order."""
    run("register", "--formula", "x**3 * y", "--arg", "x=f64[]", "--arg", "y=f64[]", "--name", "cubic")
    at = ("--arg", "2", "--arg", "5", "--json")
    pushed = run("eval", "cubic", "--want", "jvp", "--tangent", "1", "--tangent", "0.5", *at)
    assert json.loads(pushed.output) == {"jvp": 64.0}
    pulled = run("eval", "cubic", "--want", "vjp", "--cotangent", "2", *at)
    assert json.loads(pulled.output) == {"vjp": [120.0, 16.0]}
    third = run("eval", "cubic", "--want", "derivative", "--order", "3", *at)
    assert json.loads(third.output) == {"derivative": 30.0}


def test_sparse_matrices_and_modes(run: Run, tmp_path: Path) -> None:
    """Entries as JSON and in a file; modes and directions as options."""
    run("register", "--formula", "sum(x**3)", "--arg", "x=f64[2]", "--name", "cubes")
    arguments = ("eval", "cubes", "--want", "hessian", "--arg", "[1, 2]")
    file = tmp_path / "hessian.npz"
    result = run(*arguments, "--sparse", "--json", "--output", str(file))
    expected = {"values": [6.0, 12.0], "rows": [0, 1], "cols": [0, 1], "shape": [2, 2]}
    assert json.loads(result.output) == {"hessian": expected}
    assert np.load(file)["hessian.values"].tolist() == [6.0, 12.0]
    dense = run(*arguments, "--mode", "forward", "--mode", "forward", "--json")
    assert json.loads(dense.output) == {"hessian": [[6.0, 0.0], [0.0, 12.0]]}
    products = run(
        "eval", "cubes", "--want", "hvp", "--arg", "[1, 2]", "--tangent", "[[1, 0], [1, 1], [0, 2]]",
        "--directions", "3", "--json",
    )  # fmt: skip
    assert json.loads(products.output) == {"hvp": [[6.0, 0.0], [6.0, 12.0], [0.0, 24.0]]}
    assert run(*arguments, "--mode", "forward").exit_code == 1


def test_mistakes(run: Run, tmp_path: Path) -> None:
    """One readable message each, exit status 1, or 2 for what cannot be understood."""
    (tmp_path / "bad_model.py").write_text(MODEL)
    run("register", "--formula", "2*x", "--arg", "x=f64[3]", "--name", "double")
    for arguments, status, message in [
        (("register", "--formula", "sum(x", "--arg", "x=f64[]", "--name", "n"), 1, "^"),
        (("register", f"{tmp_path}/bad_model.py:branching", "--arg", "f64[]"), 1, "cannot be traced"),
        (("register", f"{tmp_path}/bad_model.py:branching"), 2, "missing a required argument"),
        (("eval", "double", "--arg", "[1, 2]"), 1, "f64[3]"),
        (("eval", "double", "--want", "grad", "--arg", "[1, 2, 3]"), 1, "real scalar"),
        (("eval", "double", "--arg", "@absent.npy"), 1, "absent.npy"),
        (("eval", "double", "--want", "derivative", "--arg", "[1, 2, 3]"), 1, "a derivative has one from 1"),
    ]:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (status, ""), arguments
        assert message in result.stderr
        assert "Traceback" not in result.output


def test_capabilities(run: Run) -> None:
    """As a table, and as JSON."""
    assert "cpu:0" in run("capabilities").output
    assert json.loads(run("capabilities", "--json").output)["server_version"]


def test_health_is_an_exit_status(run: Run) -> None:
    """0 where the server serves, 1 where nothing listens."""
    served = run("health")
    assert (served.exit_code, served.output) == (0, "SERVING\n")
    assert run("health", "--server", "127.0.0.1:1", "--timeout", "0.5").exit_code == 1

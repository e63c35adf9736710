"""Graphs and checks from a real server, by the clients and by the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner, Result
from jax import lax

import pullback as package
from pullback import aio
from pullback.checking.report import Verdict
from pullback.cli.commands import pullback
from pullback.graphs.data import Origin

Run = Callable[..., Result]


@jax.custom_jvp
def almost_sine(x: jax.Array) -> jax.Array:
    """A sine whose rule is wrong by a hundredth."""
    return jnp.sin(x)


almost_sine.defjvp(lambda x, t: (jnp.sin(x[0]), 1.01 * jnp.cos(x[0]) * t[0]))


def recurrence(x: jax.Array) -> jax.Array:
    """A scalar that comes out of a loop, a rule of its own, and a factorization."""
    final, _ = lax.scan(lambda c, a: (jnp.tanh(c) * a, None), x, jnp.arange(1.0, 6.0))
    factor = jnp.linalg.cholesky(jnp.outer(x, x) + 4 * jnp.eye(3))
    return jax.nn.softplus(final).sum() + factor.sum()


@pytest.fixture
def run(client: package.Client) -> Run:
    """Runs a command with the server's address."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(pullback, arguments, env={"PULLBACK_SERVER": client.address})

    return invoke


@pytest.fixture(scope="module")
def function(client: package.Client) -> package.Function:
    """The recurrence, registered."""
    return client.register(recurrence, np.zeros(3), name="recurrence")


def test_where_rules_come_from(function: package.Function) -> None:
    """Those that the program brought, those that it named, and those of plain operations."""
    graph = function.graph()
    rules = {(node.rule.origin, node.rule.name) for node in graph.nodes if node.rule is not None}
    assert (Origin.EXPORTED, "pullback.custom_jvp") in rules
    assert {(Origin.LIBRARY, f"pullback.{name}") for name in ("scan", "cholesky")} <= rules
    assert (Origin.LIFTED, "reduce_sum") in rules
    assert not {name for origin, name in rules if origin is Origin.LIBRARY} & {
        "pullback.tanh",
        "pullback.mul",
    }
    assert graph.revision == function.revision


def test_the_graph_of_a_gradient(function: package.Function) -> None:
    """Loops forth and back, with the composites that what runs backwards comes from."""
    graph = function.graph("grad", compiled=True)
    scans = [node for node in graph.nodes if node.name == "scan"]
    assert [node.scope.startswith("transpose") for node in scans] == [False, True]
    assert all("pullback.scan" in node.scope for node in scans)
    assert graph.compiled is not None
    assert graph.compiled.flops > 0
    assert function.graph("grad", depth=0, merge=True).total == graph.total


async def test_the_asynchronous_client(client: package.Client, function: package.Function) -> None:
    """Gives the same graph, and the same findings."""
    async with aio.connect(client.address) as other:
        same = await other.function("recurrence")
        assert await same.graph("grad", batch=5) == function.graph("grad", batch=5)
        report = await same.check(points=1, order=1)
    assert report == function.check(points=1, order=1)
    assert report.passed


def test_graphs_on_the_command_line(run: Run, function: package.Function, tmp_path: Path) -> None:
    """Text by default; a file in the format of its ending."""
    assert run("graph", "recurrence").output == function.graph().text()
    for ending in (".dot", ".json", ".txt"):
        path = tmp_path / f"graph{ending}"
        assert run("graph", "recurrence", "--of", "hessian", "-o", str(path)).output == ""
        assert path.stat().st_size
    assert (
        json.loads((tmp_path / "graph.json").read_text())["total"]
        == json.loads(function.graph("hessian").json())["total"]
    )
    refused = run("graph", "recurrence", "-o", "graph.pdf")
    assert (refused.exit_code, ".svg" in refused.stderr) == (2, True)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")
def test_a_drawing(run: Run, function: package.Function, tmp_path: Path) -> None:
    """Of the gradient, as Graphviz draws it."""
    path = tmp_path / "graph.svg"
    result = run("graph", function.name, "--of", "grad", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "cholesky" in path.read_text()


def test_a_wrong_rule_is_found(client: package.Client, run: Run) -> None:
    """By the client and by the command line, whose exit status says so."""
    function = client.register(lambda x: almost_sine(x).sum(), np.zeros(2), name="almost")
    report = function.check(np.array([0.5, -1.0]), order=1)
    assert not report.passed
    failed = {finding.derivative for finding in report.summary if finding.verdict is Verdict.FAILED}
    assert failed == {"jvp", "vjp", "grad", "jacfwd", "jacrev"}
    assert report.rules[0].origin is Origin.EXPORTED
    result = run("check", "almost", "--arg", "x=[0.5, -1.0]", "--order", "1")
    assert result.exit_code == 1
    assert "almost FAILED at 1 point" in result.output
    assert "exported pullback.custom_jvp" in result.output


def test_sizes_of_symbols(client: package.Client) -> None:
    """Are said for a graph and for points that are drawn, and found from points that are given."""
    formula = package.Formula("sum(sin(x) * y)", x="f64[n]", y="f64[]")
    function = client.register(formula, name="sized")
    assert str(function.graph("grad", sizes={"n": 7}).nodes[0].results[0]) == "f64[7]"
    for report in (
        function.check(sizes={"n": 3}, order=1, points=1),
        function.check(np.ones(4), 2.0, order=1),
    ):
        assert report.passed
        assert {rule.name for rule in report.rules} == {"sin", "mul", "reduce_sum"}
    with pytest.raises(package.InvalidArgumentError, match="give sizes="):
        function.check()


def test_checks_on_the_command_line(run: Run, tmp_path: Path) -> None:
    """At points that are drawn, and at those of a file; kinks are told and are no failures."""
    run("register", "--formula", "sum(abs(x)*y)", "--arg", "x=f64[2]", "--arg", "y=f64[]", "--name", "bent")
    drawn = run("check", "bent", "--points", "1", "--order", "1", "--json")
    assert drawn.exit_code == 0, drawn.output
    found = json.loads(drawn.output)
    assert found["passed"]
    assert {finding["verdict"] for finding in found["findings"]} == {"passed"}
    path = tmp_path / "point.json"
    path.write_text('{"x": [0.0, 1.0], "y": 2.0}')
    bent = run("check", "bent", "--at", str(path), "--order", "1")
    assert bent.exit_code == 0, bent.output
    assert "not differentiable here?" in bent.output
    assert "slopes to both sides" in bent.output

"""Makes golden programs: exported under the installed JAX, kept in tests/golden, read by all versions after.

Run once under each JAX version that is supported: `python tools/golden.py`. What was released is never made
again: a file that is there stays as it is, unless it is named on the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from pullback.demo import functions as demo
from pullback.export import export
from pullback.program.wire import program_to_bytes

GOLDEN: Final = Path(__file__).parent.parent / "tests" / "golden"

Array = jax.Array


@dataclass(frozen=True)
class Golden:
    """A function with arguments; derivatives are with respect to the last one.

    Attributes:
        function: The function.
        arguments: Its arguments.
        forward: Whether it has forward mode only.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    forward: bool = False


def rules(x: Array) -> Array:
    """Rules of JAX's library and of the user's own, one recursive, one in a loop."""
    clipped = jax.custom_vjp(lambda y: y * 1.0)
    clipped.defvjp(lambda y: (y * 1.0, y), lambda y, ct: (ct * jnp.tanh(y),))
    odd = jax.custom_jvp(jnp.sin)
    odd.defjvp(lambda p, t: (odd(*p), 3.0 * odd(p[0]) * t[0]))
    # In a loop, JAX 0.10 and 0.12 differ in second derivatives by rules that are no derivatives.
    last, _ = lax.scan(lambda c, e: (jnp.logaddexp(c, jax.nn.softplus(e)), None), x[0], x)
    return last + jnp.sum(clipped(x) ** 2 + odd(odd(x))) + lax.stop_gradient(x[1]) * x[0]


def scans(x: Array) -> Array:
    """Loops over arrays, nested, backwards, and without arrays."""
    inner, _ = lax.scan(
        lambda c, e: (lax.scan(lambda a, b: (a * b + e, a), c, x)[0], c), x[0], x, reverse=True
    )
    return inner + jnp.sum(lax.fori_loop(0, 3, lambda i, y: jnp.cos(y) * i + x, x))


def algebra(x: Array) -> Array:
    """Decompositions and solutions."""
    matrix = jnp.outer(x, x) + jnp.diag(jnp.arange(1.0, 4.0))
    values = jnp.linalg.eigvalsh(matrix) + jnp.linalg.svdvals(matrix)
    upper = jnp.abs(jnp.linalg.qr(matrix + jnp.diag(x))[1])
    out: Array = jnp.linalg.solve(matrix, x) + jnp.diag(jnp.linalg.cholesky(matrix)) + values + upper[0]
    return out


def special(x: Array) -> Array:
    """Special functions."""
    one = jax.scipy.special.gammainc(1.5, x) + jax.scipy.special.betainc(2.0, 3.0, x / 2)
    two = jax.scipy.special.digamma(x) + jax.scipy.special.gammaln(x) + jax.scipy.special.erfinv(x / 2)
    return one + two + jax.scipy.special.i0e(x) + jax.scipy.special.zeta(x + 1.5, 1.2)


def orders(x: Array) -> Array:
    """Sorting, selecting, accumulating."""
    largest, indices = lax.top_k(x, 2)
    return lax.cumlogsumexp(jnp.sort(x)) * jnp.cumprod(x)[::-1] + largest[0] * x[indices[1]] + jnp.median(x)


def random(key: Array, x: Array) -> Array:
    """Draws from a key, one of them with a derivative."""
    normal, gamma = jax.random.split(jax.random.wrap_key_data(key))
    return jax.random.normal(normal, (3,)) * x + jax.random.gamma(gamma, x + 1.0)


def iterates(count: Array, x: Array) -> Array:
    """A loop whose number of steps depends on data."""
    loop = lax.while_loop(lambda s: s[0] < count, lambda s: (s[0] + 1, jnp.sin(s[1]) * x), (0, x))
    last: Array = loop[1]
    return last


def branches(which: Array, x: Array) -> Array:
    """Choices by a number and by a value."""
    chosen = lax.switch(which, [jnp.sin, jnp.cos, jnp.square], x)
    out: Array = chosen + lax.cond(x[0] > 0.0, jnp.exp, lambda y: y, x)
    return out


def network(x: Array) -> Array:
    """Convolution, pooling, attention, with values that are computed again and one that is saved by name."""
    kernel = jnp.arange(6.0).reshape(2, 1, 3) / 10

    def layers(y: Array) -> Array:
        name: Callable[..., Array] = checkpoint_name
        wide = name(jax.nn.gelu(lax.conv(y, kernel, (1,), "SAME")), "wide")
        pooled: Array = lax.reduce_window(wide, -jnp.inf, lax.max, (1, 1, 2), (1, 1, 1), "VALID")
        return pooled

    policy = jax.checkpoint_policies.save_only_these_names("wide")
    return jnp.sum(jax.nn.softmax(jax.checkpoint(layers, policy=policy)(x[None, None])), axis=(0, 1))


def transforms(x: Array) -> Array:
    """Fourier transforms, complex numbers, indexing."""
    spectrum = jnp.fft.rfft(jnp.concatenate([x, x[::-1]]))
    scaled = jnp.abs(spectrum[1:]).at[jnp.array([0, 1])].multiply(x[:2], unique_indices=True)
    return scaled + jnp.angle(spectrum[0] + 1j * x[1])


X: Final = np.array([0.4, 0.7, 0.2])
PROGRAMS: Final = {
    "sin_cos": Golden(demo.sin_cos, (np.float64(0.4),)),
    "rosenbrock": Golden(demo.rosenbrock, (X,)),
    "lotka_volterra": Golden(demo.lotka_volterra_fit, (np.log([0.5, 0.03, 0.8, 0.03]),)),
    "rules": Golden(rules, (X,)),
    "scans": Golden(scans, (X,)),
    "algebra": Golden(algebra, (X,)),
    "special": Golden(special, (X,)),
    "orders": Golden(orders, (X,)),
    "random": Golden(random, (np.array([1, 2], np.uint32), X)),
    "iterates": Golden(iterates, (np.int64(4), X), forward=True),
    "branches": Golden(branches, (np.int64(2), X)),
    "network": Golden(network, (X,)),
    "transforms": Golden(transforms, (X,)),
}


def derivatives(function: Callable[..., Any], arguments: Sequence[Any], *, forward: bool) -> dict[str, Any]:
    """A value, and the gradient and Hessian of its weighted sum, with respect to the last argument."""
    argnum = len(arguments) - 1

    def scalar(*given: Any) -> Array:
        out = function(*given)
        return jnp.sum(out * jnp.cos(jnp.arange(out.size, dtype=out.dtype)).reshape(out.shape))

    gradient = (jax.jacfwd if forward else jax.grad)(scalar, argnum)
    wanted = {"value": function, "gradient": gradient, "hessian": jax.jacfwd(gradient, argnum)}
    return {name: np.asarray(jax.jit(wish)(*arguments)) for name, wish in wanted.items()}


def write(folder: Path, name: str, golden: Golden) -> None:
    """Writes a program, and what it gives."""
    program = export(golden.function, *golden.arguments)
    (folder / f"{name}.binpb").write_bytes(program_to_bytes(program))
    inputs = {f"argument{number}": value for number, value in enumerate(golden.arguments)}
    results = derivatives(golden.function, golden.arguments, forward=golden.forward)
    np.savez_compressed(folder / f"{name}.npz", forward=golden.forward, **inputs, **results)


def main() -> None:
    """Writes what is missing for the installed JAX, and what is named."""
    with jax.enable_x64(True):
        _write_missing()


def _write_missing() -> None:
    folder = GOLDEN / f"jax-{'.'.join(jax.__version__.split('.')[:2])}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, golden in PROGRAMS.items():
        if name in sys.argv[1:] or not (folder / f"{name}.binpb").exists():
            write(folder, name, golden)
            print(f"{folder.name}/{name}")


if __name__ == "__main__":
    main()

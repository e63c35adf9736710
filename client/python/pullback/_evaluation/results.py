"""From the flat results of an evaluation to the trees that JAX would give; without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from dataclasses import replace
from typing import Any, Final, assert_never

import numpy as np

from pullback._evaluation.sparse import Sparse
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import ResolvedWant
from pullback.codec.timings import Timing
from pullback.errors import ServerError
from pullback.program.signature import Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import (
    CustomNode,
    DictNode,
    Empty,
    Leaf,
    ListNode,
    NamedTupleNode,
    Tree,
    TupleNode,
    count_leaves,
    unflatten,
)

__all__ = ["FLOAT0", "Assembly", "Results", "Timing", "compose", "require_result", "result_tree"]

# JAX's dtype of derivatives with respect to what has none (jax.dtypes.float0).
FLOAT0: Final = np.dtype([("float0", np.void, 0)])


class Results(Mapping[str, Any]):
    """What came of an evaluation: a result for each want, by key or as an attribute.

    `results["grad"]` and `results.grad` are the same, in the order of the wants.

    Args:
        values: The result of each want by its key.
        revision: The resource name of the revision that was evaluated.
        timing: Where the time went.
    """

    __slots__ = ("_values", "revision", "timing")

    def __init__(self, values: Mapping[str, Any], revision: str, timing: Timing) -> None:
        self._values = dict(values)
        self.revision = revision
        self.timing = timing

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def values(self) -> ValuesView[Any]:
        """The results; those of `Mapping` look each up by its key."""
        return self._values.values()

    def __getattr__(self, name: str) -> Any:
        # A copy in the making has no values yet.
        if name.startswith("__") or name in Results.__slots__ or name not in self._values:
            raise AttributeError(f"{name!r} was not wanted, or is no attribute of results")
        return self._values[name]

    def __repr__(self) -> str:
        return f"Results({', '.join(f'{key}={value!r}' for key, value in self._values.items())})"


class Assembly:
    """How the arrays of one want become the tree that JAX would give: found once, for every answer.

    Args:
        want: What is wanted.
        signature: The function's, without symbols.
    """

    __slots__ = ("_count", "_float0", "_sparse", "_tree", "want")

    def __init__(self, want: ResolvedWant, signature: Signature) -> None:
        self.want = want
        self._tree = result_tree(want, signature)
        self._count = count_leaves(self._tree)
        self._sparse = _matrix_shapes(want, signature) if want.sparse else None
        self._float0 = _types_of(want, signature) if want.quantity in ("jvp", "vjp") else None

    def assemble(self, arrays: Sequence[Array], points: int | None) -> Any:
        """The result as the tree that JAX would give.

        Args:
            arrays: The arrays that the server gave for it.
            points: The size of the batch; None where nothing was batched.

        Raises:
            ServerError: If the number of arrays is not what the want has.
        """
        leaves = self._leaves(arrays, points)
        if len(leaves) != self._count:
            raise ServerError(
                f"the server sent {len(arrays)} arrays for {self.want.key!r}, which has {self._count}",
                code="INTERNAL",
            )
        return leaves[0] if isinstance(self._tree, Leaf) else unflatten(self._tree, leaves)

    def _leaves(self, arrays: Sequence[Array], points: int | None) -> Sequence[Any]:
        if self._sparse is not None:
            return _matrices(self._sparse, arrays)
        if self._float0 is not None:
            return _with_float0(self.want, self._float0, arrays, points)
        return arrays


def result_tree(want: ResolvedWant, signature: Signature) -> Tree:
    """The structure of what a want gives."""
    result, arguments = require_result(signature).tree, _argument_tree(want, signature)
    match want.quantity:
        case "value" | "jvp" | "laplacian":
            return result
        case "grad" | "vjp" | "ggn_vp":
            return arguments
        case "jacobian" | "jacfwd" | "jacrev" | "hvp" | "hessian_diag":
            return compose(result, arguments)
        case "hessian":
            return compose(compose(result, arguments), arguments)
        case "derivative":
            tree = result
            for _ in range(want.order):
                tree = compose(tree, arguments)
            return tree
        case _:
            assert_never(want.quantity)


def _argument_tree(want: ResolvedWant, signature: Signature) -> Tree:
    trees = tuple(signature.arguments[number].tree for number in want.argnums)
    return trees[0] if want.bare and trees else TupleNode(trees)


def compose(outer: Tree, inner: Tree) -> Tree:  # noqa: PLR0911 -- one for each kind of node
    """The structure `outer` with `inner` at the place of each leaf, as of `jax.jacobian`."""
    match outer:
        case Leaf():
            return inner
        case Empty():
            return outer
        case ListNode(children=children):
            return ListNode(tuple(compose(child, inner) for child in children))
        case TupleNode(children=children):
            return TupleNode(tuple(compose(child, inner) for child in children))
        case DictNode(keys=keys, children=children):
            return DictNode(keys, tuple(compose(child, inner) for child in children))
        case CustomNode(children=children):
            return replace(outer, children=tuple(compose(child, inner) for child in children))
        case NamedTupleNode(type_name=name, fields=fields, children=children):
            return NamedTupleNode(name, fields, tuple(compose(child, inner) for child in children))
        case _:
            assert_never(outer)


def require_result(signature: Signature) -> Result:
    """The result of a signature that a server gave.

    Raises:
        ServerError: If the server left it out.
    """
    if signature.result is None:
        raise ServerError("the server sent a signature without a result", code="INTERNAL")
    return signature.result


def _matrix_shapes(want: ResolvedWant, signature: Signature) -> tuple[tuple[int, int], ...]:
    arguments = _argument_types(want, signature)
    differentiated = arguments if want.quantity == "hessian" else require_result(signature).leaves
    return tuple((row.size, column.size) for row in differentiated for column in arguments)


def _matrices(shapes: Sequence[tuple[int, int]], arrays: Sequence[Array]) -> list[Sparse]:
    """The sparse matrices of arrays: of each, in order, its values, rows and columns."""
    triples = zip(arrays[::3], arrays[1::3], arrays[2::3], strict=False)
    return [Sparse(*triple, shape) for triple, shape in zip(triples, shapes, strict=False)]


def _with_float0(
    want: ResolvedWant, types: Sequence[TensorType], arrays: Sequence[Array], points: int | None
) -> Sequence[Array]:
    """Puts zeros of JAX's float0 where JVP and VJP pass over what has no derivative."""
    if len(arrays) != sum(leaf.element.differentiable for leaf in types):
        return arrays
    rest = iter(arrays)
    lead = tuple(size for size in (points, want.directions) if size is not None)
    return [
        next(rest) if leaf.element.differentiable else np.zeros((*lead, *leaf.shape), FLOAT0)
        for leaf in types
    ]


def _types_of(want: ResolvedWant, signature: Signature) -> tuple[TensorType, ...]:
    if want.quantity == "jvp":
        return require_result(signature).leaves
    return _argument_types(want, signature)


def _argument_types(want: ResolvedWant, signature: Signature) -> tuple[TensorType, ...]:
    return tuple(leaf for number in want.argnums for leaf in signature.arguments[number].leaves)

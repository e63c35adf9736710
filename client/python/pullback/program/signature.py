"""What goes into a function and what comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pullback.program.dimensions import symbols_in
from pullback.program.errors import MalformedProgramError
from pullback.program.tensors import TensorType
from pullback.program.trees import Tree, count_leaves, leaf_paths


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: a tree of arrays under a name.

    Attributes:
        name: The name by which the argument may be given.
        tree: Its structure.
        leaves: The types of its leaves, in the order of the tree.
    """

    name: str
    tree: Tree
    leaves: tuple[TensorType, ...]

    def __post_init__(self) -> None:
        if not (self.name.isidentifier() and self.name.isascii()):
            raise MalformedProgramError(
                f"{self.name!r} is no argument name; use letters, digits and underscores"
            )
        _require_leaves(f"argument {self.name}", self.tree, self.leaves)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of each leaf, such as `x` or `params['weight']`, for messages."""
        return tuple(leaf_paths(self.tree, self.name))


@dataclass(frozen=True, slots=True)
class Result:
    """The result: a tree of arrays.

    Attributes:
        tree: Its structure.
        leaves: The types of its leaves, in the order of the tree.
    """

    tree: Tree
    leaves: tuple[TensorType, ...]

    def __post_init__(self) -> None:
        _require_leaves("the result", self.tree, self.leaves)


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments and the result of a function.

    Attributes:
        arguments: The arguments in the order of the call, with names that differ.
        result: The result; None in a program that no server has read yet, if its format says what comes out.
    """

    arguments: tuple[Argument, ...]
    result: Result | None = None

    def __post_init__(self) -> None:
        counts = Counter(argument.name for argument in self.arguments)
        if len(counts) < len(self.arguments):
            twice = min(name for name, count in counts.items() if count > 1)
            raise MalformedProgramError(f"several arguments have the name {twice!r}; give each its own")

    @property
    def leaves(self) -> tuple[TensorType, ...]:
        """The types of all leaves of all arguments, in order."""
        return tuple(leaf for argument in self.arguments for leaf in argument.leaves)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of each leaf of all arguments, in order, for messages."""
        return tuple(path for argument in self.arguments for path in argument.paths)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in the sizes of arguments and result, in the order of their names."""
        result = self.result.leaves if self.result is not None else ()
        texts = {text for leaf in (*self.leaves, *result) for text in leaf.symbols if text}
        return tuple(sorted({symbol for text in texts for symbol in symbols_in(text)}))

    def at(self, sizes: Mapping[str, int]) -> Signature:
        """The signature with the symbols' sizes put in.

        Raises:
            SizeError: If an expression has no value.
            KeyError: If a symbol has no size.
        """
        if not self.symbols:
            return self
        arguments = tuple(replace(each, leaves=_at(each.leaves, sizes)) for each in self.arguments)
        result = self.result and replace(self.result, leaves=_at(self.result.leaves, sizes))
        return Signature(arguments, result)

    def leaf_range(self, argnum: int) -> range:
        """The numbers that the leaves of argument `argnum` have among all leaves."""
        start = sum(len(argument.leaves) for argument in self.arguments[:argnum])
        return range(start, start + len(self.arguments[argnum].leaves))


def _at(leaves: tuple[TensorType, ...], sizes: Mapping[str, int]) -> tuple[TensorType, ...]:
    return tuple(leaf.at(sizes) for leaf in leaves)


def _require_leaves(what: str, tree: Tree, leaves: tuple[TensorType, ...]) -> None:
    expected = count_leaves(tree)
    if expected != len(leaves):
        raise MalformedProgramError(
            f"{what} has a structure of {expected} leaves and {len(leaves)} leaf types"
        )

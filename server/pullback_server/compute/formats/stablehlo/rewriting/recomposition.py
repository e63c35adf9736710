"""Operations of JAX that travel in pieces, put together again. Knows plain data only, not JAX.

JAX writes a QR decomposition as two calls of LAPACK and the upper triangle of what the first leaves. It
can differentiate the whole, and none of the calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pullback_server.compute.formats.stablehlo.libraries import lapack, solvers
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

QR: Final = "pullback.qr"
"""The whole: of a matrix, to Q where `left` is set, then to R where `right` is; with `full_matrices`, Q is
square."""

_CALL: Final = "stablehlo.custom_call"
_FACTORIZE: Final = frozenset({*lapack("geqrf"), *solvers("geqrf"), "Qr"})
_MULTIPLY: Final = frozenset(
    {*lapack("orgqr", "ungqr"), *solvers("orgqr"), "ProductOfElementaryHouseholderReflectors"}
)


def recomposed(block: Block, scalars: Mapping[int, Any]) -> Block:
    """A block with operations of JAX in place of their pieces, wherever no piece is used otherwise.

    Args:
        block: The block.
        scalars: The constants of one element in it and around it, by number.
    """
    if not any(_calls(operation, _FACTORIZE) for operation in block.operations):
        return block
    surroundings = _Surroundings(block, scalars)
    wholes: dict[int, Operation] = {}
    pieces: set[int] = set()
    for operation in block.operations:
        found = surroundings.decomposition(operation) if _calls(operation, _FACTORIZE) else None
        if found is not None:
            wholes[id(operation)] = found.whole
            pieces.update(map(id, found.pieces))
    kept = [
        wholes.get(id(operation), operation)
        for operation in block.operations
        if id(operation) not in pieces or id(operation) in wholes
    ]
    return replace(block, operations=tuple(kept))


def _calls(operation: Operation, targets: frozenset[str]) -> bool:
    return operation.name == _CALL and operation.attributes["call_target_name"] in targets


@dataclass(frozen=True, slots=True)
class _Decomposition:
    whole: Operation
    pieces: tuple[Operation, ...]


class _Surroundings:
    """Where the values of a block come from, and who uses them."""

    def __init__(self, block: Block, scalars: Mapping[int, Any]) -> None:
        self._scalars = scalars
        self._makers = {number: made for made in block.operations for number in made.results}
        self._users: dict[int, list[Operation | None]] = defaultdict(list)
        for operation in block.operations:
            for number in dict.fromkeys((*operation.operands, *operation.captures)):
                self._users[number].append(operation)
        for number in block.returns:
            self._users[number].append(None)

    def decomposition(self, factorize: Operation) -> _Decomposition | None:
        """The QR decomposition that begins with a call; None if its pieces are used in another way."""
        packed, scales = factorize.results
        rows, columns = factorize.operand_types[0].shape[-2:]
        branches = list(self._branches(packed))
        left = [branch for branch in branches if _calls(branch[-1], _MULTIPLY)]
        right = [branch for branch in branches if branch[-1].name == "stablehlo.select"]
        users = self._users[packed]
        if len(left) + len(right) != len(users) or len(left) > 1 or len(right) > 1 or not branches:
            return None
        if self._users[scales] != [branch[-1] for branch in left]:
            return None
        if left and (left[0][-1].operands[1] != scales or not _shows(left[0][:-1], min(rows, columns))):
            return None
        ends = [branch[-1] for branch in (*left, *right)]
        extent = (left or right)[0][-1].result_types[0].shape[-1 if left else -2]
        wanted = [(rows, extent)] * len(left) + [(extent, columns)] * len(right)
        if extent not in (rows, min(rows, columns)) or [_matrix(end) for end in ends] != wanted:
            return None
        if right and not self._is_triangle(right[0]):
            return None
        whole = Operation(
            name=QR,
            operands=factorize.operands,
            operand_types=factorize.operand_types,
            results=tuple(end.results[0] for end in ends),
            result_types=tuple(end.result_types[0] for end in ends),
            attributes={
                "full_matrices": extent == rows,
                "left": bool(left),
                "right": bool(right),
            },
            blocks=(),
        )
        return _Decomposition(whole, (factorize, *(piece for branch in branches for piece in branch)))

    def _branches(self, packed: int) -> Iterator[tuple[Operation, ...]]:
        """The uses of the packed factors, each with the slice or the padding before it."""
        for user in self._users[packed]:
            if user is None:
                continue
            further = self._users[user.results[0]] if _cuts(user) and user.operands[0] == packed else []
            if _cuts(user) and len(further) == 1 and further[0] is not None:
                yield user, further[0]
            elif _calls(user, _MULTIPLY) or user.name == "stablehlo.select":
                yield (user,)

    def _is_triangle(self, branch: tuple[Operation, ...]) -> bool:
        """Whether a select leaves the upper triangle, and zeros."""
        which, zeros, chosen = branch[-1].operands
        compare = self._made(self._unbroadcast(which, matrix=True), "compare")
        if chosen in (which, zeros) or not _shows(branch[:-1], None) or compare is None:
            return False
        shifted, columns = map(self._makers.get, compare.operands)
        if shifted is None or shifted.name != "stablehlo.add" or not _counts(columns, 1):
            return False
        shifts = [number for number in shifted.operands if not _counts(self._makers.get(number), 2)]
        return (
            compare.attributes["comparison_direction"] == "GE"
            and len(shifts) == 1
            and self._is(shifts[0], -1)
            and self._is(zeros, 0)
        )

    def _is(self, number: int, value: float) -> bool:
        """Whether a value is this constant, or repeats it."""
        return bool(self._scalars.get(self._unbroadcast(number)) == value)

    def _unbroadcast(self, number: int, *, matrix: bool = False) -> int:
        """What a value repeats: a scalar, or a matrix in its last two axes."""
        made = self._made(number, "broadcast_in_dim")
        if made is None:
            return number
        rank = len(made.result_types[0].shape)
        if matrix and tuple(made.attributes["broadcast_dimensions"]) != (rank - 2, rank - 1):
            return number
        return made.operands[0]

    def _made(self, number: int, name: str) -> Operation | None:
        maker = self._makers.get(number)
        return maker if maker is not None and maker.name == f"stablehlo.{name}" else None


def _cuts(operation: Operation) -> bool:
    return operation.name in ("stablehlo.slice", "stablehlo.pad")


def _shows(before: tuple[Operation, ...], columns: int | None) -> bool:
    """Whether what comes before a use leaves a matrix in its place: a leading part, or zeros at its end.

    Args:
        before: Nothing, a slice or a padding.
        columns: How many columns have to be left whole, where zeros may follow; None where none may.
    """
    for operation in before:
        names = ("start_indices", "strides")
        if operation.name == "stablehlo.pad":
            names = ("edge_padding_low", "interior_padding")
            if columns is None or operation.attributes["edge_padding_high"][-2] != 0:
                return False
        elif columns is not None and operation.result_types[0].shape[-1] < columns:
            return False
        first, second = (operation.attributes[name] for name in names)
        if any(first) or set(second) - {int(operation.name == "stablehlo.slice")}:
            return False
    return True


def _counts(operation: Operation | None, from_last: int) -> bool:
    """Whether an operation counts along an axis."""
    if operation is None or operation.name != "stablehlo.iota":
        return False
    rank = len(operation.result_types[0].shape)
    return bool(operation.attributes["iota_dimension"] == rank - from_last)


def _matrix(operation: Operation) -> tuple[int, ...]:
    return operation.result_types[0].shape[-2:]

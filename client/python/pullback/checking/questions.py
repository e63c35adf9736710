"""What a check asks of whoever can evaluate the function."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pullback._evaluation.wants import Quantity, Want

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """One evaluation.

    Attributes:
        arguments: The arguments, as in a call of the function; batched or not.
        want: What is wanted.
        tangents: A tangent for each argument in argnums of the wants that take them.
        cotangents: A tree like the result, for wants that take it.
    """

    arguments: tuple[Any, ...]
    want: tuple[Want, ...]
    tangents: tuple[Any, ...] | None = None
    cotangents: Any = None

    @property
    def options(self) -> dict[str, Any]:
        """What `evaluate` takes beside the arguments."""
        return {"want": self.want, "tangents": self.tangents, "cotangents": self.cotangents}


Answer = Mapping[str, Any]
"""For each want its result, by the want's key."""
Asking = Generator[Question, Answer, T]
"""Yields questions and is sent answers, or is thrown the PullbackError of a call that failed."""


def ask(
    quantity: Quantity,
    arguments: tuple[Any, ...],
    argnums: tuple[int, ...] = (),
    *,
    order: int = 0,
    tangents: tuple[Any, ...] | None = None,
    cotangents: Any = None,
) -> Asking[Any]:
    """Asks for one quantity, and gives its result."""
    want = Want(quantity, None if quantity == "value" else argnums, order)
    answer = yield Question(arguments, (want,), tangents, cotangents)
    return answer[want.key]

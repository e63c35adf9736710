"""What the evaluations of one kind have in common, made with the first of them and kept; without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pullback._evaluation.inputs import Inputs, Layout, at_sizes_of
from pullback._evaluation.results import Assembly
from pullback._evaluation.sizes import Room
from pullback._evaluation.wants import Argnums, Quantity, ResolvedWant, Want, resolve, want_to_wire
from pullback.program.signature import Signature
from pullback.v1 import evaluation_pb2

# A function is asked for few kinds of derivatives; only one in a loop over `Want`s or sizes has more.
_MOST: Final = 256


class Plan:
    """How one derivative of a function is asked for, and how its answers are read.

    Attributes:
        head: The fields `function` and `wants` of its requests.
        layout: What goes in, and where.
        assemblies: How the results of each want become what the user gets.
        room: How many bytes the results take.
        ranks: The number of axes, at one point, of each argument, tangent and cotangent.
        kind: What its requests have in common with those that can be joined with them.
        joinable: Whether its requests can be joined at all.
        point_bytes: The bytes of its tensors at one point, there or back, whichever are more.

    Args:
        revision: The resource name of the function's revision.
        signature: Its signature, without symbols.
        wants: What is wanted.

    Raises:
        InvalidArgumentError: If the wants do not go together.
    """

    __slots__ = ("assemblies", "head", "joinable", "kind", "layout", "point_bytes", "ranks", "room")

    def __init__(self, revision: str, signature: Signature, wants: tuple[ResolvedWant, ...]) -> None:
        self.head = evaluation_pb2.EvaluateRequest(
            function=revision, wants=map(want_to_wire, wants)
        ).SerializeToString(deterministic=True)
        self.layout = Layout(signature, wants)
        self.assemblies = tuple(Assembly(want, signature) for want in wants)
        self.room = Room(wants, signature)
        groups = (self.layout.arguments, self.layout.tangents, self.layout.cotangents)
        places = [place for group in groups for place in group]
        self.ranks = tuple(tuple(len(place.shape) for place in group) for group in groups)
        self.kind = b"\0".join([self.head, *(str(place.type).encode() for place in places)])
        # The coordinates of sparse results are shared by all points, and without an input nothing says how
        # many points there are.
        self.joinable = bool(places) and not any(want.sparse for want in wants)
        self.point_bytes = max(sum(place.type.nbytes for place in places), self.room.nbytes(1))


class Plans:
    """The plans of one function.

    They may be asked for by several threads at once: the worst that comes of it is a plan made twice.

    Args:
        revision: The resource name of the function's revision.
        signature: Its signature.
    """

    __slots__ = ("_plans", "_revision", "_signature", "_symbolic")

    def __init__(self, revision: str, signature: Signature) -> None:
        self._revision = revision
        self._signature = signature
        self._symbolic = bool(signature.symbols)
        self._plans: dict[Any, Plan] = {}

    def plan(self, wants: Iterable[Quantity | Want], argnums: Argnums | None, inputs: Inputs) -> Plan:
        """The plan of an evaluation.

        Args:
            wants: What is wanted.
            argnums: For wants that do not say.
            inputs: What goes in; its sizes are those of a signature with symbols.

        Raises:
            InvalidArgumentError: If the wants do not fit the signature or each other, or the sizes do not.
        """
        wants = wants if isinstance(wants, str | tuple) else tuple(wants)
        # The text tells apart what is equal in Python and yet no number of directions: 1 and True.
        key = repr((wants, argnums))
        if self._symbolic:
            return self._plan_at(key, wants, argnums, inputs)
        return self._plans.get(key) or self._keep(key, self._signature, wants, argnums)

    def _plan_at(
        self, key: str, wants: Iterable[Quantity | Want], argnums: Argnums | None, inputs: Inputs
    ) -> Plan:
        resolve(wants, self._signature, argnums)
        signature = at_sizes_of(self._signature, inputs)
        sized = (key, tuple(leaf.shape for leaf in signature.leaves))
        return self._plans.get(sized) or self._keep(sized, signature, wants, argnums)

    def _keep(
        self, key: Any, signature: Signature, wants: Iterable[Quantity | Want], argnums: Argnums | None
    ) -> Plan:
        plan = Plan(self._revision, signature, resolve(wants, signature, argnums))
        if len(self._plans) >= _MOST:
            self._plans.clear()
        self._plans[key] = plan
        return plan

"""The probe: a tiny evaluation whose result is known, which takes the way of all evaluations."""

from __future__ import annotations

import struct
from typing import Final

from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.model.evaluation import Evaluation, Kind, Outcome
from pullback_server.model.quantities import Quantity, Want

_SCALAR: Final = parse_tensor_type("f64[]")
_PROGRAM: Final = Program(Formula("x * x + 1"), Signature((Argument("x", LEAF, (_SCALAR,)),)))

PROBE_DIGEST: Final = digest(_PROGRAM)
PROBE_PROGRAM: Final = program_to_bytes(_PROGRAM)
PROBE: Final = Evaluation(
    Kind(PROBE_DIGEST, (Want(Quantity.VALUE),), (_SCALAR,), result_bytes=_SCALAR.nbytes),
    (struct.pack("<d", 3.0),),
)
_ANSWER: Final = struct.pack("<d", 10.0)


def is_right(outcome: Outcome) -> bool:
    """Whether this is what comes of the probe."""
    return [[bytes(leaf.data) for leaf in leaves] for leaves in outcome.results] == [[_ANSWER]]

"""How deep a module is nested, and how many operations it has, found without recursion.

MLIR's parser of text and its conversions follow nesting on the stack of the thread, and end the process where
that is used up. So the brackets of a text are counted before it is parsed, and the regions of a module before
it is converted. Regions of bytecode are read without the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from pullback_server.compute.formats.bounds import BOUNDS, too_deep, too_many_operations

_ADVICE: Final = "flatten the function"
_BRACKETS_OF_A_REGION: Final = 8
"""How many brackets are open around a region for each region around it, generously."""
_WITHOUT_BRACKETS: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"|//[^\n]*|->|>=|<=')
_CHUNK: Final = 1 << 20
_STEPS: Final = np.zeros(256, np.int8)
_STEPS[list(b"([{<")] = 1
_STEPS[list(b")]}>")] = -1


def require_shallow_text(text: bytes) -> None:
    """Refuses a text whose brackets are nested too deep.

    Raises:
        ServiceError: NESTING_TOO_DEEP.
    """
    most = _BRACKETS_OF_A_REGION * BOUNDS.nesting
    depth = max(_depths(_WITHOUT_BRACKETS.sub(b"", text)), default=0)
    if depth > most:
        what = f"the brackets of the module's text are nested {depth} deep"
        raise too_deep(what, _ADVICE, value=-(-depth // _BRACKETS_OF_A_REGION))


def _depths(text: bytes) -> Iterator[int]:
    """The greatest depth in each part of a text."""
    depth = 0
    for start in range(0, len(text), _CHUNK):
        steps = _STEPS[np.frombuffer(text, np.uint8, min(_CHUNK, len(text) - start), start)]
        depths = depth + np.cumsum(steps, dtype=np.int64)
        depth = int(depths[-1])
        yield int(depths.max())


def require_bounded(module: Any) -> None:
    """Refuses a module with regions nested too deep, or with too many operations.

    Raises:
        ServiceError: NESTING_TOO_DEEP or TOO_MANY_OPERATIONS.
    """
    count, level, depth = 0, [module.operation], -1
    while level:
        depth += 1
        # The regions of a function lie in those of the module.
        if depth > BOUNDS.nesting + 1:
            raise too_deep("the regions of the module are nested too deep", _ADVICE)
        level = [
            operation.operation
            for outer in level
            for region in outer.regions
            for block in region.blocks
            for operation in block.operations
        ]
        count += len(level)
        if count > BOUNDS.operations:
            what = f"the module has {count} operations or more"
            raise too_many_operations(what, count, "use loops in place of repeated code")

"""ONNX's own node tests: what is served gives what ONNX says, and what is refused is refused by name."""

from __future__ import annotations

from collections import Counter

import pytest
from conformance.onnx.cases import load_cases, run

from pullback_server.compute.formats.onnx.table import REFUSED
from pullback_server.errors import Reason, ServiceError

# ONNX's tests overflow and divide by zero on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SLICES = 12
LOWEST_SHARE = 0.85
# Beside operators: what a model is refused for, as it stands in the message.
REASONS = (
    "element type STRING",
    "element type FLOAT8E8M0",
    "of the domain 'ai.onnx.preview",
    "of the domain 'ai.onnx.ml'",
    "operator set 1 ",
    "of operator set 8",
    "is a sequence_type",
    "is a optional_type",
    "is a sequence, not an array",
    "gives sequences from a graph",
    "drops at random",
    "holds text",
    "bitcast",
)


@pytest.mark.parametrize(
    "number", [0, *(pytest.param(i, marks=pytest.mark.exhaustive) for i in range(1, SLICES))]
)
def test_slice(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Every case of the slice passes, or is refused for a reason that is known."""
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    for name in sorted(load_cases())[number::SLICES]:
        try:
            run(load_cases()[name])
        except ServiceError as error:
            outcomes[_reason(error)] += 1
            if _reason(error) == "unknown":
                wrong.append(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 -- all cases are run, and all that fail are told
            wrong.append(f"{name}: {type(error).__name__}: {str(error).strip()[:300]}")
        else:
            outcomes["passed"] += 1
    with capsys.disabled():
        print(f"\nONNX's node tests, slice {number} of {SLICES}: {dict(outcomes.most_common())}")  # noqa: T201 -- told in every run
    assert not wrong, "\n".join(wrong)
    assert outcomes["passed"] >= LOWEST_SHARE * outcomes.total()


def _reason(error: ServiceError) -> str:
    if error.reason is not Reason.UNSUPPORTED_OPERATION:
        return "unknown"
    operator = error.metadata.get("operation", "")
    if operator in REFUSED:
        return f"{operator} {REFUSED[operator][0]}"
    return next((reason for reason in REASONS if reason in str(error)), "unknown")

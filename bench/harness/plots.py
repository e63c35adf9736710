"""The plots of scaling, as SVG, which is small and can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.contestants import CONTESTANTS
from harness.scaling import Line

_COLOURS = {name: f"C{number}" for number, name in enumerate(CONTESTANTS)}
_STYLES = {"": "-", "unix": "--", "shared memory": "--", "one stream": ":", "joined": "--"}


def plot(lines: Sequence[Line], title: str, axis: str, path: Path) -> None:
    """Draws points per second, on two logarithmic axes."""
    # The same drawing gives the same file.
    mpl.rcParams["svg.hashsalt"] = "pullback"
    mpl.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for line in lines:
        label = f"{CONTESTANTS[line.contestant].label}{f', {line.label}' if line.label else ''}"
        axes.loglog(
            list(line.rates),
            list(line.rates.values()),
            label=label,
            color=_COLOURS[line.contestant],
            linestyle=_STYLES[line.label],
            marker="o",
            markersize=3,
        )
    axes.set(title=title, xlabel=axis, ylabel="points per second")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})

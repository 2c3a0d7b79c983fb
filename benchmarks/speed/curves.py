"""The cost curves of ``speed.py``: time and memory as the data grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from harness.jobs import Findings, Measurement, Size
from harness.machine import run_process

from speed import JOBS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE = {"rows": 2000, "columns": 20, "latent width": 4}
GRID = {
    "rows": (1000, 10_000, 100_000, 1_000_000),
    "columns": (10, 100, 1000, 10_000),
    "latent width": (2, 16, 128, 1024),
}
QUICK_GRID = {name: GRID[name][:2] for name in ("rows", "latent width")}
N_REPEATS = 3
QUANTITIES = ("fit, seconds", "score, seconds", "fit, MB", "score, MB")
CONTENDERS = ("skae", "IsolationForest")


@JOBS.job("curves", one_value_per="point")
def curves(size: Size) -> Findings:
    """Time and peak memory of fit and score as rows, columns and the code grow.

    The default detector, one epoch, so that a fit is a pass over the rows, beside
    IsolationForest, which has no code. Each point is the median of three processes.
    What does not grow is 2,000 rows, 20 columns, and a code of 4. Memory is beside that
    of the packages and of the rows. "growth" is the exponent b of cost ~ size^b from
    the second to the last point; 1 is linear.
    """
    grid = QUICK_GRID if size.is_quick else GRID
    n_repeats = min(size.n_repeats, N_REPEATS)
    found = {}
    for name, values in grid.items():
        for value in values:
            point = {**BASE, name: value}
            for contender in CONTENDERS[: 1 if name == "latent width" else 2]:
                repeats = [
                    run_process("curve_point", contender, *point.values(), seed)
                    for seed in range(n_repeats)
                ]
                found[contender, name, value] = np.median(repeats, axis=0)
    measured = [
        Measurement(f"{quantity}, {value:,} {name}", contender, (float(costs[i]),))
        for (contender, name, value), costs in found.items()
        for i, quantity in enumerate(QUANTITIES)
    ]
    for name, values in grid.items():
        ends = values[-1], values[1 if len(values) > 2 else 0]
        for i, quantity in enumerate(QUANTITIES[:2]):
            last, first = (found["skae", name, value][i] for value in ends)
            growth = float(np.log(last / first) / np.log(ends[0] / ends[1]))
            words = f"{quantity.partition(',')[0]}, growth with {name}"
            measured.append(Measurement(words, "skae", (growth,)))
    return Findings(measured, (), _figure(found))


def _figure(found: dict[tuple[str, str, int], np.ndarray]) -> Figure:
    """Return a figure with a panel per size that grows, times above memory."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(10, 6), layout="constrained")
    names = list(dict.fromkeys(name for _, name, _ in found))
    panels = figure.subplots(2, len(names), sharey="row")
    for column, name in enumerate(names):
        for contender in CONTENDERS:
            points = {
                v: c
                for (who, n, v), c in found.items()
                if (who, n) == (contender, name)
            }
            for i, quantity in enumerate(QUANTITIES):
                if not points:
                    continue
                word, _, unit = quantity.partition(", ")
                axes = panels[int(unit == "MB"), column]
                costs = [max(cost[i], 1e-3) for cost in points.values()]
                axes.loglog(
                    [*points],
                    costs,
                    "o-" if contender == "skae" else "x:",
                    color=f"C{i % 2}",
                    label=f"{contender}, {word}",
                )
        for row, unit in enumerate(("seconds", "MB")):
            panels[row, column].set_xlabel(name)
            panels[row, column].set_ylabel(unit if column == 0 else "")
            panels[row, column].grid(alpha=0.3)
    panels[0, 0].legend()
    figure.suptitle("The default detector, one epoch")
    return figure

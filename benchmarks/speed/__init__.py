"""The cases of ``speed.py``, and what they share: rounds, ratios, absent rivals."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.jobs import Bar, Jobs, Measurement, collect, values_of
from harness.machine import in_turn, timed
from harness.rivals import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Key, Size

JOBS = Jobs("speed")
SECONDS = "seconds"
# Distribution: the contenders that need it.
EXTRAS = {
    "torch": ("PyTorch loop",),
    "pyod": ("PyOD",),
    "skl2onnx": ("onnxruntime", "onnxruntime, default"),
}


def present(contenders: dict[str, Any]) -> dict[str, Any]:
    """Return the contenders whose packages are installed."""
    absent = {name for names in missing(EXTRAS).values() for name in names}
    return {name: call for name, call in contenders.items() if name not in absent}


def notes() -> tuple[str, ...]:
    """Return a sentence on rivals that are not installed."""
    absent = missing(EXTRAS)
    words = f"Not installed, and so not compared: {', '.join(absent)}."
    return (words,) if absent else ()


def race(
    contenders: dict[str, Callable],
    make_rows: Callable[[int], Any],
    size: Size,
    bars: dict[str, Bar],
    judge: Callable[[str, Any], float],
) -> list[Measurement]:
    """Time contenders in turn, each call on rows of its own.

    Each takes (rows, seed), and "skae" is among them; ``judge`` makes a loss of a name
    and of what the contender returned. A bar is how many times faster than a rival skae
    should be. Ratios are taken round by round. A first call of each is not timed.
    """
    contenders = present(contenders)
    number = iter(range(10**6))
    for contender in contenders.values():
        contender(make_rows(next(number)), 0)
    rounds = []
    for turn in range(size.n_repeats):
        found, losses = {}, {}
        for name, contender in in_turn(contenders, turn):
            seed = next(number)
            found[name], made = timed(contender, make_rows(seed), seed)
            losses["loss", name] = judge(name, made)
        seconds = {(SECONDS, name): found[name] for name in contenders}
        rounds.append(seconds | losses | ratios(found))
    present_bars = {
        faster(rival): bar for rival, bar in bars.items() if rival in contenders
    }
    return collect(rounds, present_bars)


def ratios(seconds: dict[str, float], prefix: str = "") -> dict[Key, float]:
    """Return how many times faster than each rival skae is."""
    return {
        faster(rival, prefix): one / seconds["skae"]
        for rival, one in seconds.items()
        if rival != "skae"
    }


def faster(rival: str, prefix: str = "") -> Key:
    """Return the key of a ratio."""
    return f"{prefix}times faster than {rival}", "skae"


def over(
    measurements: list[Measurement], quantity: str, rival: str, bar: Bar
) -> Measurement:
    """Return skae's median divided by a rival's."""
    ours, theirs = (
        float(np.median(values_of(measurements, quantity, name)))
        for name in ("skae", rival)
    )
    words = f"median {quantity}, over {rival}'s"
    return Measurement(words, "skae", (ours / theirs,), bar)


# Importing a module adds its cases, in the order in which they run.
for module in ("curves", "scoring", "searching", "training"):
    importlib.import_module(f"speed.{module}")

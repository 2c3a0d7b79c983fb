"""The rows of ``tutorials.py``: functions of one turn, and the decorator for them.

A row is written once, for one seed. The decorator runs it for every seed, gathers the
numbers, draws the first seed's picture, and adds the whole as a job. To add one, write
a function of a `Turn` in one of the modules of this package, and give it a name, the
tutorial that it follows, what is known from elsewhere, and the bars to clear.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.jobs import Epochs, Findings, Job, Jobs, Size, Turn, collect

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.jobs import Bar, Key
    from matplotlib.figure import Figure

JOBS = Jobs("tutorials")

TENSORFLOW = (
    "TensorFlow tutorials, https://www.tensorflow.org/tutorials/generative/autoencoder"
)
KERAS_BLOG = "Keras blog, https://blog.keras.io/building-autoencoders-in-keras.html"
KERAS_EXAMPLE = "Keras examples, https://keras.io/examples/vision/autoencoder/"


@dataclass(frozen=True)
class Outcome:
    """What a row found in one turn."""

    numbers: dict[Key, float]
    draw: Callable[[], Figure]
    notes: tuple[str, ...] = ()  # sentences to stand below the table


def tutorial(
    name: str,
    *,
    reference: str,
    epochs: Epochs | None = None,
    published: dict[Key, str] | None = None,
    bars: dict[Key, Bar] | None = None,
    max_seeds: int | None = None,
    jobs: Jobs = JOBS,
) -> Callable:
    """Return a decorator that adds a function from Turn to Outcome as a job.

    ``reference`` is the tutorial, ``published`` what is known from elsewhere;
    ``epochs`` is None for rows that have no such number, or several.
    """

    def add(one_turn: Callable[[Turn], Outcome]) -> Callable[[Turn], Outcome]:
        @functools.wraps(one_turn)
        def find(size: Size) -> Findings:
            made = None if epochs is None else size.count(epochs.made)
            outcomes = [one_turn(Turn(seed, size, made)) for seed in size.seeds]
            first = outcomes[0]
            numbers = [outcome.numbers for outcome in outcomes]
            measurements = collect(numbers, bars, published)
            return Findings(measurements, first.notes, first.draw())

        jobs.add(
            Job(name, find, reference=reference, epochs=epochs, max_seeds=max_seeds)
        )
        return one_turn

    return add


def over(
    numbers: dict[Key, float], quantity: str, rival: str, contender: str = "skae"
) -> dict[Key, float]:
    """Return a contender's number divided by a rival's, to be added to the numbers."""
    ratio = numbers[quantity, contender] / numbers[quantity, rival]
    return {(f"{quantity}, over {rival}'s", contender): ratio}


# Importing a module adds its rows, in the order in which they run.
for module in ("images", "denoise", "codes", "heartbeats", "own"):
    importlib.import_module(f"tutorials.{module}")

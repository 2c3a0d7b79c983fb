"""What a row of ``tutorials.py`` is: a function of one turn, and the decorator for it.

A row is written once, for one seed. The decorator runs it for every seed, gathers the
numbers, draws the first seed's picture, and adds the whole as a job.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from _jobs import Findings, Job, Jobs, Size
from _measurements import collect

JOBS = Jobs("tutorials")

TENSORFLOW = (
    "TensorFlow tutorials, https://www.tensorflow.org/tutorials/generative/autoencoder"
)
KERAS_BLOG = "Keras blog, https://blog.keras.io/building-autoencoders-in-keras.html"
KERAS_EXAMPLE = "Keras examples, https://keras.io/examples/vision/autoencoder/"


@dataclass(frozen=True)
class Turn:
    """One run of a row: its seed, how many rows, and how many epochs."""

    seed: int
    size: Size
    epochs: int | None = None

    def rows(self, X):
        """Return the rows to use."""
        return self.size.rows(X)

    def with_epochs(self, full):
        """Return the same turn for a network that takes other epochs in full."""
        return replace(self, epochs=self.size.count(full))


@dataclass(frozen=True)
class Outcome:
    """What a row found in one turn.

    Attributes
    ----------
    numbers : dict
        Maps (quantity, contender) to a number.

    draw : callable
        Takes nothing and returns a matplotlib Figure.

    notes : tuple of str
        Sentences to stand below the table.
    """

    numbers: dict
    draw: Callable[[], Any]
    notes: tuple[str, ...] = ()


def tutorial(
    name, *, reference, epochs=None, published=None, bars=None, max_seeds=None
):
    """Return a decorator that adds a function from Turn to Outcome as a job.

    Parameters
    ----------
    name : str
        Name on the command line and in the table.

    reference : str
        The tutorial.

    epochs : Epochs, default=None
        Epochs that networks make, and those of the tutorial. None is for rows that
        have no such number, or several.

    published : dict, default=None
        Maps (quantity, contender) to what is known of it from elsewhere, a str.

    bars : dict, default=None
        Maps some (quantity, contender) to a Bar.

    max_seeds : int, default=None
        Run no more seeds than that.
    """

    def add(one_turn):
        @functools.wraps(one_turn)
        def find(size):
            made = None if epochs is None else size.count(epochs.made)
            outcomes = [one_turn(Turn(seed, size, made)) for seed in size.seeds]
            first = outcomes[0]
            numbers = [outcome.numbers for outcome in outcomes]
            measurements = collect(numbers, bars, published)
            return Findings(measurements, first.notes, first.draw())

        JOBS.add(
            Job(name, find, reference=reference, epochs=epochs, max_seeds=max_seeds)
        )
        return one_turn

    return add


def over(numbers, quantity, rival, contender="skae"):
    """Return a contender's number divided by a rival's, to be added to the numbers."""
    ratio = numbers[quantity, contender] / numbers[quantity, rival]
    return {(f"{quantity}, over {rival}'s", contender): ratio}

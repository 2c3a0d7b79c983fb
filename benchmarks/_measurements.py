"""What a benchmark measures: values, and the bar they should clear."""

import operator
import statistics
from dataclasses import dataclass

RELATIONS = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
SIGNIFICANT_DIGITS = 6


def significant(value):
    """Return a number with as many digits as are kept."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


@dataclass(frozen=True)
class Bar:
    """What a measurement should reach: in the median, or with every single value."""

    relation: str
    limit: float
    of_every: bool = False

    def is_met(self, values):
        """Return whether the median, or every value, stands in the relation."""
        judged = values if self.of_every else [statistics.median(values)]
        return all(RELATIONS[self.relation](value, self.limit) for value in judged)

    def __str__(self):
        judged = "every" if self.of_every else "median"
        return f"{judged} {self.relation} {self.limit:g}"


@dataclass(frozen=True)
class Measurement:
    """One quantity of one contender: a value per seed or repeat, and perhaps a bar.

    ``reference`` is what others published, in words: "0.0088 to 0.0089".
    """

    quantity: str
    contender: str
    values: tuple[float, ...]
    bar: Bar | None = None
    reference: str | None = None

    def record(self):
        """Return it as JSON keeps it; the verdict is on the numbers that are kept."""
        values = [significant(value) for value in self.values]
        return {
            "quantity": self.quantity,
            "contender": self.contender,
            "reference": self.reference,
            "median": statistics.median(values),
            "min": min(values),
            "max": max(values),
            "values": values,
            "bar": None if self.bar is None else str(self.bar),
            "met": None if self.bar is None else self.bar.is_met(values),
        }


def collect(rounds, bars=None, references=None):
    """Return the measurements of rounds, one round per seed or repeat.

    Parameters
    ----------
    rounds : list of dict
        Each maps (quantity, contender) to a number; all have the same keys.

    bars : dict, default=None
        Maps some of these keys to a Bar.

    references : dict, default=None
        Maps some of these keys to what others published, a str.

    Returns
    -------
    measurements : list of Measurement
        In the order of the keys.
    """
    bars, references = bars or {}, references or {}
    for name, given in (("bars", bars), ("references", references)):
        unknown = given.keys() - rounds[0].keys()
        if unknown:
            raise ValueError(
                f"{name} has {sorted(unknown)!r}, but only {list(rounds[0])!r} are "
                "measured. Give one of these."
            )
    return [
        Measurement(
            *key,
            tuple(one[key] for one in rounds),
            bars.get(key),
            references.get(key),
        )
        for key in rounds[0]
    ]

"""Jobs: what a benchmark script offers, how it runs, and where its results go.

A script makes one ``Jobs``, adds functions to it, and calls its ``main``. Each job has
a result file of its own, so that one can be run again without the others.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import io
import json
import operator
import re
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import machine
from harness.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from matplotlib.figure import Figure

RESULTS = machine.FOLDER / "results"
NUMBERS = re.compile(r"\[\s+((?:[-+.\de,\s]|null)+?)\s+\]")
# Enough to see that a script works.
QUICK_ROWS = 300
N_SEEDS = 5
DOTS_PER_INCH = 80
N_COLORS = 128
SIGNIFICANT_DIGITS = 6
RELATIONS = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}

# -------------------------------------------------------------------- measurements


def significant(value: float) -> float:
    """Return a number with as many digits as are kept."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


@dataclass(frozen=True)
class Bar:
    """What a measurement should reach: in the median, or with every single value."""

    relation: str
    limit: float
    of_every: bool = False

    def is_met(self, values: Sequence[float]) -> bool:
        """Return whether the median, or every value, stands in the relation."""
        judged = values if self.of_every else [statistics.median(values)]
        return all(RELATIONS[self.relation](value, self.limit) for value in judged)

    def __str__(self) -> str:
        judged = "every" if self.of_every else "median"
        return f"{judged} {self.relation} {self.limit:g}"


@dataclass(frozen=True)
class Measurement:
    """One quantity of one contender: a value per seed or repeat, and perhaps a bar."""

    quantity: str
    contender: str
    values: tuple[float, ...]
    bar: Bar | None = None
    reference: str | None = None  # what others published: "0.0088 to 0.0089"

    def record(self) -> dict[str, Any]:
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


# What a measurement is of: a quantity and a contender.
Key = tuple[str, str]


def collect(
    rounds: list[dict[Key, float]],
    bars: dict[Key, Bar] | None = None,
    references: dict[Key, str] | None = None,
) -> list[Measurement]:
    """Return the measurements of rounds with the same keys: one for each seed."""
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


def values_of(
    measurements: Iterable[Measurement], quantity: str, contender: str
) -> tuple[float, ...]:
    """Return the values of one of some measurements."""
    (found,) = (
        one
        for one in measurements
        if (one.quantity, one.contender) == (quantity, contender)
    )
    return found.values


# ---------------------------------------------------------------------------- jobs


@dataclass(frozen=True)
class Size:
    """How much of a job to run: all, or enough to see that it works."""

    seeds: tuple[int, ...] = tuple(range(N_SEEDS))
    n_repeats: int = 11
    is_quick: bool = False
    # What a script's own arguments say; None where it runs without a command line.
    options: Any = None

    def rows(self, X: Any) -> Any:
        """Return the rows to use."""
        return X[:QUICK_ROWS] if self.is_quick else X

    def count(self, full: int) -> int:
        """Return how many epochs or calls to make where ``full`` is the whole job."""
        return min(full, 2) if self.is_quick else full

    def training(self) -> dict[str, int]:
        """Return parameters of an estimator with its defaults: none, unless quick."""
        return {"epochs": self.count(2)} if self.is_quick else {}

    def at_most(self, n_repeats: int) -> Size:
        """Return a size with no more repeats than some."""
        return replace(self, n_repeats=min(self.n_repeats, n_repeats))


QUICK = Size(seeds=(0,), n_repeats=1, is_quick=True)


@dataclass(frozen=True)
class Turn:
    """One run of a job: its seed, how many rows, and how many epochs."""

    seed: int
    size: Size | None
    epochs: int | None = None

    def rows(self, X: Any) -> Any:
        """Return the rows to use."""
        return self.size.rows(X)

    def with_epochs(self, full: int) -> Turn:
        """Return the same turn for a network that takes other epochs in full."""
        return replace(self, epochs=self.size.count(full))


@dataclass(frozen=True)
class Epochs:
    """How long networks are trained, and how long the job's reference trains them."""

    made: int
    of: int


@dataclass(frozen=True)
class Grid:
    """Numbers in rows and columns, where each measurement alone would say little."""

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: dict[str, list[float | None]]  # a value per column

    def record(self) -> dict[str, Any]:
        """Return it as JSON keeps it."""
        rows = {
            name: [None if value is None else significant(value) for value in values]
            for name, values in self.rows.items()
        }
        return {
            "title": self.title,
            "corner": self.corner,
            "columns": list(self.columns),
            "rows": rows,
        }


@dataclass(frozen=True)
class Findings:
    """What a job found: numbers, and perhaps more of them, sentences and a Figure."""

    measurements: list[Measurement]
    notes: tuple[str, ...] = ()
    figure: Figure | None = None
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Job:
    """A function that finds something out; its docstring stands above the table."""

    name: str
    find: Callable[[Size], Findings]
    one_value_per: str = "seed"
    reference: str | None = None
    epochs: Epochs | None = None
    max_seeds: int | None = None  # keeps a long job to fewer seeds than the others

    @property
    def about(self) -> list[str]:
        """What is measured, in words, one string for each paragraph."""
        paragraphs = inspect.getdoc(self.find).split("\n\n")
        return [" ".join(paragraph.split()) for paragraph in paragraphs]

    def fitted(self, size: Size) -> Size:
        """Return a size with no more seeds than this job takes."""
        return replace(size, seeds=size.seeds[: self.max_seeds])

    def epochs_in_words(self, size: Size) -> str | None:
        """Return how many of how many epochs are made, or None."""
        if self.epochs is None:
            return None
        return f"{size.count(self.epochs.made)} of {self.epochs.of}"


@dataclass(frozen=True)
class Result:
    """What a run leaves: a record for JSON, and a picture or None."""

    record: dict[str, Any]
    figure: Figure | None = None


class Jobs:
    """The jobs of one script, by name; ``name`` is that of the folder of results, too.

    ``add_options`` adds the script's own arguments to a parser; jobs find them in
    ``size.options``.
    """

    def __init__(
        self,
        name: str,
        *,
        n_seeds: int = N_SEEDS,
        add_options: Callable[[argparse.ArgumentParser], None] | None = None,
        results: Path = RESULTS,
    ) -> None:
        self.name = name
        self._n_seeds = n_seeds
        self._add_options = add_options
        self._results = results
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __getitem__(self, name: str) -> Job:
        return self._jobs[name]

    def add(self, job: Job) -> None:
        """Add a job under its name."""
        if job.name in self._jobs:
            raise ValueError(
                f"{job.name!r} is a job of {self.name} already. Choose another name."
            )
        self._jobs[job.name] = job

    def job(self, name: str, **description: Any) -> Callable:
        """Return a decorator that adds a function from Size to Findings as a Job.

        The function may return measurements alone.
        """

        def add(measure: Callable) -> Callable:
            @functools.wraps(measure)
            def find(size: Size) -> Findings:
                found = measure(size)
                return found if isinstance(found, Findings) else Findings(found)

            self.add(Job(name, find, **description))
            return measure

        return add

    def run(self, name: str, size: Size) -> Result:
        """Run one job and return its result."""
        job = self._jobs[name]
        size = job.fitted(size)
        load_before = machine.load()
        start = time.perf_counter()
        found = job.find(size)
        seconds = time.perf_counter() - start
        record = {
            "benchmark": self.name,
            "job": name,
            "about": job.about,
            "reference": job.reference,
            "epochs": job.epochs_in_words(size),
            "one_value_per": job.one_value_per,
            "seeds": list(size.seeds) if "seed" in job.one_value_per else None,
            "is_quick": size.is_quick,
            "seconds": round(seconds, 1),
            "load_before": load_before,
            "machine": machine.machine(),
            "versions": machine.versions(),
            "measurements": [one.record() for one in found.measurements],
            "notes": list(found.notes),
            "grids": [one.record() for one in found.grids],
            "picture": None if found.figure is None else f"{name}.png",
        }
        return Result(record, found.figure)

    def main(self, description: str, argv: list[str] | None = None) -> None:
        """Run the jobs that the command line names, or all of them."""
        args = self._parser(description).parse_args(argv)
        size = Size(seeds=tuple(range(args.seeds)), n_repeats=args.repeats)
        if args.quick:
            size = QUICK
        if self._add_options is not None:
            size = replace(size, options=args)
        folder = args.output or (None if args.quick else self._results)
        for name in args.jobs or list(self):
            result = self.run(name, size)
            print(f"\n{as_text(result.record)}", flush=True)
            if folder is not None:
                write(result, folder)

    def _parser(self, description: str) -> argparse.ArgumentParser:
        """Return the parser of the command line."""
        parser = argparse.ArgumentParser(description=description.partition("\n")[0])
        parser.add_argument(
            "jobs",
            nargs="*",
            type=self._known,
            metavar="JOB",
            help=f"one of {', '.join(self)}; all if none is named",
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FOLDER",
            help="where results go (benchmarks/results; with --quick nowhere)",
        )
        parser.add_argument(
            "--seeds", type=positive, default=self._n_seeds, help="number of seeds"
        )
        parser.add_argument(
            "--repeats",
            type=positive,
            default=Size().n_repeats,
            help="number of times that times are taken",
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="one seed, two epochs, few rows: only to see that it runs",
        )
        if self._add_options is not None:
            self._add_options(parser)
        return parser

    def _known(self, name: str) -> str:
        """Return the name of a job; argparse words the error of a wrong one."""
        if name not in self._jobs:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no job here; choose from {', '.join(self)}"
            )
        return name


def positive(text: str) -> int:
    """Return a positive integer of the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def write(result: Result, folder: Path) -> None:
    """Write ``FOLDER/SCRIPT/JOB.json`` and, next to it, the picture."""
    record = result.record
    path = Path(folder) / record["benchmark"] / f"{record['job']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, allow_nan=False)
    # Numbers of a list on one line: a value per line would hide all else.
    text = NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.write_text(f"{text}\n", "utf-8")
    if result.figure is not None:
        _save(result.figure, path.with_name(record["picture"]))


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG with a palette, a third of the size it has without."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DOTS_PER_INCH)
    Image.open(buffer).convert("RGB").quantize(N_COLORS).save(path, optimize=True)

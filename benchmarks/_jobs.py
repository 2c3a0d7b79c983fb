"""Jobs: what a benchmark script offers, how it runs, and where its results go.

A script makes one ``Jobs``, adds functions to it, and calls its ``main``. Each job has
a result file of its own, so that one can be run again without the others.
"""

import argparse
import functools
import inspect
import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import _environment
from _measurements import Measurement, significant
from _text import as_text

RESULTS = Path(__file__).parent / "results"
NUMBERS = re.compile(r"\[\s+((?:[-+.\de,\s]|null)+?)\s+\]")
# Enough to see that a script works.
QUICK_ROWS = 300
N_SEEDS = 5
DOTS_PER_INCH = 80
N_COLORS = 128


@dataclass(frozen=True)
class Size:
    """How much of a job to run: all, or enough to see that it works."""

    seeds: tuple[int, ...] = tuple(range(N_SEEDS))
    n_repeats: int = 11
    is_quick: bool = False
    # What a script's own arguments say; None where it runs without a command line.
    options: argparse.Namespace | None = None

    def rows(self, X):
        """Return the rows to use."""
        return X[:QUICK_ROWS] if self.is_quick else X

    def count(self, full):
        """Return how many epochs or calls to make where ``full`` is the whole job."""
        return min(full, 2) if self.is_quick else full

    def training(self):
        """Return parameters for an estimator that is measured with its defaults.

        There are none, unless quick: then the estimator is not what a user gets, and
        its numbers mean nothing.
        """
        return {"epochs": self.count(2)} if self.is_quick else {}


QUICK = Size(seeds=(0,), n_repeats=1, is_quick=True)


@dataclass(frozen=True)
class Epochs:
    """How long networks are trained, and how long the job's reference trains them."""

    made: int
    of: int


@dataclass(frozen=True)
class Grid:
    """Numbers in rows and columns, where each measurement alone would say little.

    ``rows`` maps the name of a row to a number, or None, per column.
    """

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: dict[str, list[float | None]]

    def record(self):
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
    figure: Any = None
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Job:
    """A function that finds something out; its docstring stands above the table.

    ``max_seeds`` keeps a long job to fewer seeds than the others.
    """

    name: str
    find: Callable[[Size], Findings]
    one_value_per: str = "seed"
    reference: str | None = None
    epochs: Epochs | None = None
    max_seeds: int | None = None

    @property
    def about(self):
        """What is measured, in words, as one paragraph per line."""
        paragraphs = inspect.getdoc(self.find).split("\n\n")
        return [" ".join(paragraph.split()) for paragraph in paragraphs]

    def fitted(self, size):
        """Return a size with no more seeds than this job takes."""
        return replace(size, seeds=size.seeds[: self.max_seeds])

    def epochs_in_words(self, size):
        """Return how many of how many epochs are made, or None."""
        if self.epochs is None:
            return None
        return f"{size.count(self.epochs.made)} of {self.epochs.of}"


@dataclass(frozen=True)
class Result:
    """What a run leaves: a record for JSON, and a picture or None."""

    record: dict
    figure: Any = None


class Jobs:
    """The jobs of one script, by name.

    Parameters
    ----------
    name : str
        The script's name, and that of its folder of results.

    n_seeds : int, default=5
        Number of seeds where the command line names none.

    add_options : callable, default=None
        Adds the script's own arguments to a parser; jobs find them in
        ``size.options``.
    """

    def __init__(self, name, *, n_seeds=N_SEEDS, add_options=None):
        self.name = name
        self._n_seeds = n_seeds
        self._add_options = add_options
        self._jobs = {}

    def __iter__(self):
        return iter(self._jobs)

    def __getitem__(self, name):
        return self._jobs[name]

    def add(self, job):
        """Add a job under its name."""
        if job.name in self._jobs:
            raise ValueError(
                f"{job.name!r} is a job of {self.name} already. Choose another name."
            )
        self._jobs[job.name] = job

    def job(self, name, **description):
        """Return a decorator that adds a function from Size to measurements.

        ``description`` is what else a `Job` has.
        """

        def add(measure):
            @functools.wraps(measure)
            def find(size):
                return Findings(measure(size))

            self.add(Job(name, find, **description))
            return measure

        return add

    def run(self, name, size):
        """Run one job and return its result."""
        job = self._jobs[name]
        size = job.fitted(size)
        load_before = _environment.load()
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
            "machine": _environment.machine(),
            "versions": _environment.versions(),
            "measurements": [one.record() for one in found.measurements],
            "notes": list(found.notes),
            "grids": [one.record() for one in found.grids],
            "picture": None if found.figure is None else f"{name}.png",
        }
        return Result(record, found.figure)

    def main(self, description, argv=None):
        """Run the jobs that the command line names, or all of them."""
        args = self._parser(description).parse_args(argv)
        size = Size(seeds=tuple(range(args.seeds)), n_repeats=args.repeats)
        if args.quick:
            size = QUICK
        if self._add_options is not None:
            size = replace(size, options=args)
        folder = args.output or (None if args.quick else RESULTS)
        for name in args.jobs or list(self):
            result = self.run(name, size)
            print(f"\n{as_text(result.record)}", flush=True)
            if folder is not None:
                write(result, folder)

    def _parser(self, description):
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

    def _known(self, name):
        """Return the name of a job; argparse words the error of a wrong one."""
        if name not in self._jobs:
            raise argparse.ArgumentTypeError(
                f"{name!r} is no job here; choose from {', '.join(self)}"
            )
        return name


def positive(text):
    """Return a positive integer of the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def write(result, folder):
    """Write ``FOLDER/SCRIPT/JOB.json`` and, beside it, the picture."""
    record = result.record
    path = Path(folder) / record["benchmark"] / f"{record['job']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, allow_nan=False)
    # Numbers of a list on one line: a value per line would hide all else.
    text = NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.write_text(f"{text}\n", "utf-8")
    if result.figure is not None:
        _save(result.figure, path.with_name(record["picture"]))


def _save(figure, path):
    """Write a figure as PNG with a palette, a third of the size it has without."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DOTS_PER_INCH)
    Image.open(buffer).convert("RGB").quantize(N_COLORS).save(path, optimize=True)

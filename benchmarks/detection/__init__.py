"""The jobs of ``detection.py`` on tables: two protocols, and choices of the default."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from harness.jobs import Bar, Findings, Jobs, Size, positive
from joblib import Parallel, delayed

from detection.contenders import CHOICES, OPTIONAL, OWN, Case, available, known
from detection.findings import findings_of
from detection.tables import (
    LIMITS,
    QUICK_LIMITS,
    contaminated_split,
    default_folders,
    image_tables,
    normals_split,
    read_tables,
)
from skae import compare_detectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from detection.contenders import Maker
    from detection.tables import Split, Table

AHEAD = Bar(">", 0.0)
# By how much skae's mean over all tables should be above that of the best rival.
NORMALS_LEAD = Bar(">=", 0.010)
NORMALS_BARS = {
    name: AHEAD
    for name in ("PCA", "IsolationForest", "LOF", "OneClassSVM", "5-NN", "PyOD AE")
}
# PyOD's networks take minutes on images.
ON_IMAGES = (
    OWN,
    "skae, error='mse'",
    "PCA",
    "IsolationForest",
    "LOF",
    "OneClassSVM",
    "5-NN",
)
CONTAMINATED_BARS = {"IsolationForest": Bar(">=", -0.01)}


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``detection.py`` alone has."""
    parser.add_argument(
        "--tables",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="folders of tables, *.npz with X and y (adbench, adbench2 and adbench_cv "
        "of $SKAE_DATA)",
    )
    parser.add_argument(
        "--contenders",
        type=_known,
        metavar="NAME,...",
        help="only some of the contenders, for instance skae,PCA,5-NN",
    )
    parser.add_argument(
        "--jobs",
        dest="n_jobs",
        type=positive,
        default=1,
        metavar="N",
        help="processes; with more than one, times cannot be compared",
    )


def _known(text: str) -> list[str]:
    """Return the contenders that are named; argparse words the error of a wrong one."""
    try:
        return known(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


JOBS = Jobs("detection", n_seeds=3, add_options=_add_options)


@dataclass(frozen=True)
class Race:
    """Who competes, under which protocol."""

    makers: dict[str, Maker]  # the contenders
    split: Callable[..., Split]  # from a table, a seed and limits
    train_on: str  # as in `skae.compare_detectors`
    size: Size

    def case(self, seed: int) -> Case:
        """Return what the detectors of one seed are made for."""
        size = self.size
        return Case(seed, self.train_on == "all", size.training(), size.is_quick)

    def play(self, table: Table, seed: int) -> tuple[pd.DataFrame, list[str]]:
        """Return the numbers of all contenders on one split of a table, and failures.

        A rival may not be able to take every table; skae has to.
        """
        split = self.split(table, seed, QUICK_LIMITS if self.size.is_quick else LIMITS)
        found, failures = [], []
        for name, make in self.makers.items():
            try:
                with without_advice():
                    one = compare_detectors(
                        {name: make(self.case(seed))},
                        split.X,
                        split.y,
                        cv=[(split.train, split.test)],
                        train_on=self.train_on,
                    )
            except Exception as exc:
                if name.startswith(OWN):
                    raise
                failures.append(f"{name} failed on {table.name}, seed {seed}: {exc}")
            else:
                known = {"table": table.name, "group": table.group, "seed": seed}
                found.append(one.reset_index().assign(**known))
        print(f"{table.name}, seed {seed}: done", file=sys.stderr, flush=True)
        return pd.concat(found), failures


@JOBS.job("normals")
def normals(size: Size) -> Findings:
    """Tables of outliers, by detectors that learn half of the normal rows.

    Scored on the other half and all anomalies; at most 5,000 training and 10,000 test
    rows, drawn at random, of each class its share, but 100 anomalies where there are as
    many. All get the same rows, standardised by the training rows. skae is its default
    detector, with nothing but a seed. PCA's reconstruction error is that of as many
    components as keep 80% of the variance, since nobody says how many a table has, and
    textbooks advise 70 to 90%. IsolationForest, LocalOutlierFactor (novelty=True),
    OneClassSVM (gamma="scale") and PyOD's networks have their defaults; 5-NN is the
    mean distance to the 5 nearest training rows.
    """
    return _over_tables(size, normals_split, "inliers", NORMALS_BARS, lead=NORMALS_LEAD)


@JOBS.job("contaminated")
def contaminated(size: Size) -> Findings:
    """Tables of outliers, by detectors that learn all rows, the anomalies among them.

    Nobody is told which these are. The same rows are trained on and scored: at most
    5,000 of a table, drawn at random, with its share of anomalies. For 5-NN and
    LocalOutlierFactor no row is its own neighbour; the latter's scores come with its
    fit. All else is as in normals.
    """
    return _over_tables(size, contaminated_split, "all", CONTAMINATED_BARS)


@JOBS.job("images")
def images(size: Size) -> Findings:
    """Wide tables: images of one class among those of others.

    Digits of MNIST and clothes of Fashion-MNIST, of even classes, as 784 pixels and as
    100 principal components; trained on 1,000 images of a class, scored on 1,000 more
    and on 1,000 of the other classes. Standardised for all, by the same contenders but
    for PyOD's, as in normals. The default was not chosen on these.
    """
    tables = image_tables(size.is_quick)
    bars = {name: NORMALS_BARS[name] for name in ON_IMAGES[2:]}
    return _over_tables(size, normals_split, "inliers", bars, ON_IMAGES, tables=tables)


@JOBS.job("choices")
def choices(size: Size) -> Findings:
    """The default detector, and what it would be with one choice made otherwise.

    As in normals. The defaults were chosen on the first seeds of these 14 tables.
    """
    return _choices(size, normals_split, "inliers")


@JOBS.job("choices-contaminated")
def choices_contaminated(size: Size) -> Findings:
    """The same choices, by detectors that learn all rows, the anomalies among them.

    As in contaminated.
    """
    return _choices(size, contaminated_split, "all")


def _choices(size: Size, split: Callable[..., Split], train_on: str) -> Findings:
    """Run the default and its alternatives; judge how it was chosen."""
    names = [OWN, *CHOICES]
    return _over_tables(size, split, train_on, {}, names, by_others=True)


def _over_tables(
    size: Size,
    split: Callable[..., Split],
    train_on: str,
    bars: dict[str, Bar],
    names: Any = None,
    *,
    tables: list[Table] | None = None,
    by_others: bool = False,
    lead: Bar | None = None,
) -> Findings:
    """Run contenders, all unless they are named, on all tables with all seeds.

    Tables are those of the folder, if they are not given. ``by_others`` adds what each
    table would have by the choice of the other tables.
    """
    options = options_of(size)
    makers, notes = available(options.contenders or names)
    if tables is None:
        tables = [
            table
            for folder in options.tables or default_folders(size.is_quick)
            for table in read_tables(folder, size.is_quick)
        ]
    race = Race(makers, split, train_on, size)
    warm_up(makers)
    # One after the other: the machine is the contender's own while it is timed.
    played = Parallel(n_jobs=options.n_jobs)(
        delayed(race.play)(table, seed) for table in tables for seed in size.seeds
    )
    runs = pd.concat([runs for runs, _ in played], ignore_index=True)
    failures = [words for _, failed in played for words in failed]
    if options.n_jobs > 1:
        notes += (
            f"{options.n_jobs} processes shared the machine: times cannot be compared.",
        )
    notes = (*notes, *_pyod_version(makers), *failures)
    return findings_of(runs, bars, notes, by_others=by_others, lead=lead)


def options_of(size: Size) -> Any:
    """Return the options of the command line, or their defaults without one."""
    if size.options is not None:
        return size.options
    return argparse.Namespace(tables=None, contenders=None, n_jobs=1)


def warm_up(makers: dict[str, Maker]) -> None:
    """Fit all contenders once, untimed: a first fit imports what it needs."""
    rows = np.random.default_rng(0).normal(size=(64, 3))
    for make in makers.values():
        with without_advice():
            make(Case(0, False, {"epochs": 2}, True)).fit(rows).score_samples(rows)


def without_advice() -> warnings.catch_warnings:
    """Return a context without the rivals' warnings, of duplicate rows for example."""
    return warnings.catch_warnings(action="ignore")


def _pyod_version(makers: dict[str, Maker]) -> tuple[str, ...]:
    """Return which PyOD competes, in words."""
    if not any(name.startswith("PyOD") for name in makers):
        return ()
    names = ["pyod", *(["torch"] if OPTIONAL["torch"][0] in makers else [])]
    versions = (f"{name} {importlib.metadata.version(name)}" for name in names)
    return (f"With {', '.join(versions)}.",)


for _name in ("heartbeats", "series"):
    importlib.import_module(f"detection.{_name}")

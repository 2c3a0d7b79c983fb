"""The jobs of ``detection.py``: two protocols over tables."""

import argparse
import importlib.metadata
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _detection_choices import CHOICES
from _detection_findings import OWN, findings_of
from _detection_rivals import Case, contenders, known
from _detection_tables import (
    contaminated_split,
    default_folder,
    image_tables,
    normals_split,
    read_tables,
)
from _jobs import Job, Jobs, positive
from _measurements import Bar
from joblib import Parallel, delayed

from skae.model_selection import compare_detectors

AHEAD = Bar(">", 0.0)
NORMALS_BARS = {
    name: AHEAD
    for name in ("PCA", "IsolationForest", "LOF", "OneClassSVM", "5-NN", "PyOD AE")
}
# PyOD's networks take minutes there.
BESIDE_IMAGES = (
    OWN,
    "skae, error='mse'",
    "PCA",
    "IsolationForest",
    "LOF",
    "OneClassSVM",
    "5-NN",
)
CONTAMINATED_BARS = {"IsolationForest": Bar(">=", -0.01)}


def _add_options(parser):
    """Add what ``detection.py`` alone can be told."""
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="FOLDER",
        help="folder of tables, *.npz with X and y ($SKAE_DATA/adbench)",
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


def _known(text):
    try:
        return known(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


JOBS = Jobs("detection", n_seeds=3, add_options=_add_options)


@dataclass(frozen=True)
class Race:
    """Who competes, under which protocol.

    Attributes
    ----------
    names : tuple of str
        The contenders.

    split : callable
        From a table, a seed and whether it is quick to a Split.

    train_on : {"inliers", "all"}
        As in `compare_detectors`.

    is_quick : bool

    training : dict
        Parameters of skae's estimators; none, unless quick.
    """

    names: tuple[str, ...]
    split: callable
    train_on: str
    is_quick: bool
    training: dict

    def case(self, seed):
        """Return what the detectors of one seed are made for."""
        return Case(seed, self.train_on == "all", self.training, self.is_quick)


def normals(size):
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
    return _over_tables(size, normals_split, "inliers", NORMALS_BARS)


def contaminated(size):
    """Tables of outliers, by detectors that learn all rows, the anomalies among them.

    Nobody is told which these are. The same rows are trained on and scored: at most
    5,000 of a table, drawn at random, with its share of anomalies. For 5-NN and
    LocalOutlierFactor no row is its own neighbour; the latter's scores come with its
    fit. All else is as in normals.
    """
    return _over_tables(size, contaminated_split, "all", CONTAMINATED_BARS)


def images(size):
    """Wide tables: images of one class among those of others.

    Digits of MNIST and clothes of Fashion-MNIST, of even classes, as 784 pixels and as
    100 principal components; trained on 1,000 images of a class, scored on 1,000 more
    and on 1,000 of the other classes. Standardised for all, by the same contenders but
    for PyOD's, as in normals. The default was not chosen on these.
    """
    tables = image_tables(size.is_quick)
    bars = {name: NORMALS_BARS[name] for name in BESIDE_IMAGES[2:]}
    return _over_tables(
        size, normals_split, "inliers", bars, BESIDE_IMAGES, tables=tables
    )


def choices(size):
    """The default detector, and what it would be with one choice made otherwise.

    As in normals. The defaults were chosen on the first seeds of these 14 tables.
    """
    return _choices(size, normals_split, "inliers")


def choices_contaminated(size):
    """The same choices, by detectors that learn all rows, the anomalies among them.

    As in contaminated.
    """
    return _choices(size, contaminated_split, "all")


def _choices(size, split, train_on):
    """Run the default and what else it could have been; judge how it was chosen."""
    names = [OWN, *CHOICES]
    return _over_tables(size, split, train_on, {}, names, by_others=True)


def _over_tables(
    size, split, train_on, bars, names=None, *, tables=None, by_others=False
):
    """Run contenders, all unless they are named, on all tables with all seeds.

    Tables are those of the folder, if they are not given. ``by_others`` says what each
    table would have by the choice of the other tables.
    """
    options = options_of(size)
    makers, notes = contenders(options.contenders or names)
    if tables is None:
        tables = read_tables(options.tables or default_folder(), size.is_quick)
    race = Race(tuple(makers), split, train_on, size.is_quick, size.training())
    warm_up(makers, size)
    # One after the other: the machine is the contender's own while it is timed.
    played = Parallel(n_jobs=options.n_jobs)(
        delayed(_play)(race, table, seed) for table in tables for seed in size.seeds
    )
    runs = pd.concat([runs for runs, _ in played], ignore_index=True)
    failures = [words for _, failed in played for words in failed]
    if options.n_jobs > 1:
        notes += (
            f"{options.n_jobs} processes shared the machine: times cannot be compared.",
        )
    notes = (*notes, *_pyod_version(makers), *failures)
    return findings_of(runs, bars, notes, by_others=by_others)


def _play(race, table, seed):
    """Return the numbers of all contenders on one split of a table, and failures."""
    split = race.split(table, seed, race.is_quick)
    makers, _ = contenders(race.names)
    found, failures = [], []
    for name, make in makers.items():
        try:
            with without_advice():
                one = compare_detectors(
                    {name: make(race.case(seed))},
                    split.X,
                    split.y,
                    cv=[(split.train, split.test)],
                    train_on=race.train_on,
                )
        except Exception as exc:
            # A rival may not be able to take every table of everybody's folder. skae
            # has to.
            if name.startswith("skae"):
                raise
            failures.append(f"{name} failed on {table.name}, seed {seed}: {exc}")
        else:
            found.append(one.reset_index().assign(table=table.name, seed=seed))
    print(f"{table.name}, seed {seed}: done", file=sys.stderr, flush=True)
    return pd.concat(found), failures


def options_of(size):
    """Return what the command line said, or what it says where nothing is said."""
    if size.options is not None:
        return size.options
    return argparse.Namespace(tables=None, contenders=None, n_jobs=1)


def warm_up(makers, size):
    """Fit everybody once, untimed: a first fit imports what it needs."""
    rows = np.random.default_rng(0).normal(size=(64, 3))
    for make in makers.values():
        with without_advice():
            make(Case(0, False, {"epochs": 2}, True)).fit(rows).score_samples(rows)


def without_advice():
    """Return a context without the rivals' warnings, of duplicate rows for example."""
    return warnings.catch_warnings(action="ignore")


def _pyod_version(makers):
    """Return which PyOD competes, in words."""
    if not any(name.startswith("PyOD") for name in makers):
        return ()
    versions = (f"{name} {importlib.metadata.version(name)}" for name in OPTIONAL_SHOWN)
    return (f"PyOD's networks: {', '.join(versions)}.",)


OPTIONAL_SHOWN = ("pyod", "torch")

for _find in (normals, contaminated, images, choices, choices_contaminated):
    JOBS.add(Job(_find.__name__.replace("_", "-"), _find))

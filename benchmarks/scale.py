"""How far does skae go beyond memory, and beyond one process?

Needs Dask: ``pip install ".[dask]"``. Rows are generated block by block, or lie in
files that the script makes in a temporary folder, 4 GB by default; ``--rows`` makes all
jobs smaller. Times and peaks are each taken in a process of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from detection.tables import (
    LIMITS,
    QUICK_LIMITS,
    default_folder,
    normals_split,
    read_tables,
)
from harness.jobs import Bar, Findings, Grid, Jobs, Measurement, Size, collect
from harness.machine import in_turn, run_process
from sklearn.metrics import roc_auc_score

from skae import ReconstructionOutlierDetector

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

N_SEEDS = 2
MOST_MEGABYTES = Bar("<", 1500)
# Rows and columns that are scored, float64: 20 GB in one process, and 4 GB by workers.
SCORED, SCORED_BY_WORKERS = (25_000_000, 100), (10_000_000, 50)
# Rows and columns of files, float32: 4 GB, and rows in each file.
TRAINED, ROWS_PER_FILE = (50_000_000, 20), 100_000
QUICK_ROWS = 3_000
# The shares of the rows for which a curve is measured, in addition to all of them.
SHARES = (0.01, 0.1)
# Generated rows to train on, and of each kind to score.
MANY_ROWS, N_TESTED = 1 << 20, 10_000
BELOW, MOST_BELOW = "ROC AUC, below that in memory", 0.005


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this script."""
    parser.add_argument(
        "--rows", type=float, help="rows of all jobs, such as 1e6; each job's own"
    )
    parser.add_argument(
        "--tables", type=Path, help="a folder of *.npz with X and y (adbench)"
    )


JOBS = Jobs("scale", n_seeds=N_SEEDS, add_options=add_options)


def n_rows(size: Size, full: int) -> int:
    """Return how many rows a job takes where ``full`` is the whole job."""
    if size.is_quick:
        return QUICK_ROWS
    asked = getattr(size.options, "rows", None)
    return full if asked is None else int(asked)


# -------------------------------------------------------------------------- scoring


@JOBS.job("score-generated", one_value_per="repeat")
def score_generated(size: Size) -> list[Measurement]:
    """Scoring 20 GB that never exist at once, 25 million rows of 100 columns.

    By a default detector, in one process with the threads of Dask's default scheduler.
    What is computed is the mean score. The peak is the process's resident memory,
    packages included.
    """
    n, n_columns = n_rows(size, SCORED[0]), SCORED[1]
    seconds, peak = run_process("score_lazily", n, n_columns, 0)
    gigabytes = n * n_columns * 8 / 1e9
    found = [
        ("gigabytes of rows", gigabytes, None),
        ("seconds", seconds, None),
        ("peak MB", peak, MOST_MEGABYTES),
    ]
    own = [Measurement(name, "skae", (value,), bar) for name, value, bar in found]
    _, idle = run_process("score_lazily", 1000, n_columns, 0)
    return [*own, Measurement("peak MB", "skae, 1,000 rows", (idle,))]


@JOBS.job("score-by-workers", one_value_per="repeat")
def score_by_workers(size: Size) -> Findings:
    """Scoring 10 million generated rows of 50 columns, by one worker and by two.

    Processes of a `LocalCluster` with a thread each; the start of the cluster is not
    counted. Peaks are summed over the scheduler's process and the workers.
    """
    n, n_columns = n_rows(size, SCORED_BY_WORKERS[0]), SCORED_BY_WORKERS[1]
    names = {"1 worker": 1, "2 workers": 2}
    rounds = []
    for turn in range(size.at_most(3).n_repeats):
        found = {
            name: run_process("score_lazily", n, n_columns, workers)
            for name, workers in in_turn(names, turn)
        }
        seconds = {name: found[name][0] for name in names}
        rounds.append(
            {("seconds", name): seconds[name] for name in names}
            | {("peak MB", name): found[name][1] for name in names}
            | {
                ("times faster than 1 worker", "2 workers"): seconds["1 worker"]
                / seconds["2 workers"]
            }
        )
    bars = {("times faster than 1 worker", "2 workers"): Bar(">=", 1.7)}
    points = [int(share * n) for share in (() if size.is_quick else SHARES)]
    curves = {
        f"{quantity}, {name}": [] for quantity in ("seconds", "MB") for name in names
    }
    for point in points:
        for name, workers in names.items():
            seconds, peak = run_process("score_lazily", point, n_columns, workers)
            curves[f"seconds, {name}"].append(seconds)
            curves[f"MB, {name}"].append(peak)
    measured = collect(rounds, bars)
    for name in names:
        for short, quantity in (("seconds", "seconds"), ("MB", "peak MB")):
            values = [one[quantity, name] for one in rounds]
            curves[f"{short}, {name}"].append(float(np.median(values)))
    columns = tuple(f"{point:,} rows" for point in [*points, n])
    grid = Grid("Time and peak memory against rows", "", columns, curves)
    return Findings(measured, grids=(grid,))


# ------------------------------------------------------------------------- training


@JOBS.job("fit-files", one_value_per="repeat")
def fit_files(size: Size) -> Findings:
    """Training a default detector on 50 million rows of 20 columns in files.

    float32, 4 GB, as NumPy's files, mapped into memory one by one, and as Parquet.
    `fit` of a Dask collection trains on a random sample of them. The peak is the
    process's resident memory, packages included.
    """
    n, n_columns = n_rows(size, TRAINED[0]), TRAINED[1]
    points = [int(share * n) for share in (() if size.is_quick else SHARES)] + [n]
    epochs = size.training().get("epochs", "auto")
    measured, curves = [], {}
    for kind in ("NumPy's files", "Parquet"):
        found = []
        for point in points:
            with tempfile.TemporaryDirectory() as folder:
                write_files(kind, Path(folder), (point, n_columns))
                found.append(run_process("fit_lazily", kind, folder, epochs))
        seconds, peak = found[-1]
        measured += [
            Measurement("seconds", kind, (seconds,)),
            Measurement("peak MB", kind, (peak,), MOST_MEGABYTES),
        ]
        curves[f"seconds, {kind}"] = [one[0] for one in found]
        curves[f"MB, {kind}"] = [one[1] for one in found]
    columns = tuple(f"{point:,} rows" for point in points)
    grid = Grid("Time and peak memory against rows", "", columns, curves)
    return Findings(measured, grids=(grid,))


def write_files(kind: str, folder: Path, shape: tuple[int, int]) -> None:
    """Write files of rows of which five directions explain most."""
    n, n_columns = shape
    mixing = np.random.default_rng(0).normal(size=(5, n_columns)).astype(np.float32)
    for number, start in enumerate(range(0, n, ROWS_PER_FILE)):
        rng = np.random.default_rng([1, number])
        few = min(ROWS_PER_FILE, n - start)
        rows = rng.standard_normal((few, 5), np.float32) @ mixing
        rows += 0.1 * rng.standard_normal(rows.shape, np.float32)
        if kind == "Parquet":
            import pandas as pd

            names = [f"column {i}" for i in range(n_columns)]
            frame = pd.DataFrame(rows, columns=names)
            frame.to_parquet(folder / f"{number:04}.parquet")
        else:
            np.save(folder / f"{number:04}.npy", rows)


@JOBS.job("dask-tables", max_seeds=1)
def compare_on_tables(size: Size) -> Findings:
    """A default detector fitted to a Dask array, beside one fitted to its rows.

    The tables of detection.py, split as there; chunks of 1,000 rows. `fit` takes all
    rows of a collection up to a quarter of a million, and trains on them as on an
    array.
    """
    options = size.options
    folder = (getattr(options, "tables", None) or [default_folder()])[0]
    aucs = {"in memory": {}, "Dask": {}}
    for table in read_tables(folder, size.is_quick):
        for seed in size.seeds:
            split = normals_split(
                table, seed, QUICK_LIMITS if size.is_quick else LIMITS
            )
            test = split.X[split.test], split.y[split.test] == -1
            for name, found in _aucs(split.X[split.train], [test], seed, size).items():
                aucs[name].setdefault(table.name, []).append(found[0])
    means = {
        name: {table: float(np.mean(values)) for table, values in found.items()}
        for name, found in aucs.items()
    }
    grid = Grid(
        "ROC AUC",
        "table",
        tuple(means),
        {table: [found[table] for found in means.values()] for table in means["Dask"]},
    )
    below = tuple(means["in memory"][one] - means["Dask"][one] for one in means["Dask"])
    return Findings(
        [
            Measurement("mean ROC AUC", name, (float(np.mean([*found.values()])),))
            for name, found in means.items()
        ]
        + [Measurement(BELOW, "Dask", below, Bar("<=", MOST_BELOW, of_every=True))],
        grids=(grid,),
    )


@JOBS.job("dask-sample")
def compare_on_many_rows(size: Size) -> list[Measurement]:
    """A default detector fitted to a quarter of a million rows, beside one on all rows.

    A million generated rows, of which `fit` of a Dask array draws 262,144.
    Rows of 10 columns near a curved surface of three dimensions, in 50 groups whose
    sizes follow Zipf's law. The outliers are rows whose columns come from different
    rows, and rows with one column that is moved by a standard deviation.
    """
    n = n_rows(size, MANY_ROWS)
    rounds = []
    for seed in size.seeds:
        rows = surface_rows(n, 2 * seed)
        normal, other = np.split(surface_rows(2 * N_TESTED, 2 * seed + 1), 2)
        rng = np.random.default_rng(seed)
        mixed, moved = rng.permuted(other, axis=0), other.copy()
        columns = rng.integers(other.shape[1], size=len(other))
        step = rng.choice([-1, 1], len(other)) * other.std(axis=0)[columns]
        moved[np.arange(len(other)), columns] += step
        labels = np.repeat([False, True], N_TESTED)
        tests = [(np.concatenate([normal, one]), labels) for one in (mixed, moved)]
        one = {}
        found = _aucs(rows, tests, seed, size)
        for place, kind in enumerate(("mixed rows", "one column moved")):
            for name, aucs in found.items():
                one[f"{kind}: ROC AUC", name] = aucs[place]
            below = found["in memory"][place] - found["Dask"][place]
            one[f"{kind}: {BELOW}", "Dask"] = below
        rounds.append(one)
    bars = {key: Bar("<=", MOST_BELOW) for key in rounds[0] if BELOW in key[0]}
    return collect(rounds, bars)


def surface_rows(n: int, seed: int) -> NDArray:
    """Return rows near a curved surface, in groups."""
    fixed = np.random.default_rng(0)
    bend, mix = fixed.normal(size=(3, 24)), fixed.normal(size=(24, 10))
    centers = 2 * fixed.normal(size=(50, 3))
    share = 1 / np.arange(1, 51)
    rng = np.random.default_rng([2, seed])
    groups = rng.choice(50, n, p=share / share.sum())
    places = centers[groups] + 0.5 * rng.normal(size=(n, 3))
    return np.tanh(1.5 * places @ bend) @ mix + 0.15 * rng.normal(size=(n, 10))


def _aucs(
    rows: NDArray, tests: list[tuple[NDArray, NDArray]], seed: int, size: Size
) -> dict[str, list[float]]:
    """Return the ROC AUC on each test set, trained in memory and by Dask."""
    import dask.array as da

    found = {}
    for name in ("in memory", "Dask"):
        X = rows if name == "in memory" else da.from_array(rows, chunks=(1000, -1))
        detector = ReconstructionOutlierDetector(random_state=seed, **size.training())
        detector.fit(X)
        found[name] = [
            float(roc_auc_score(is_outlier, -detector.score_samples(rows)))
            for rows, is_outlier in tests
        ]
    return found


if __name__ == "__main__":
    JOBS.main(__doc__)

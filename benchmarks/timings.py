"""Is skae as quick as it says: imports, trainings, scores?

Contenders run in turn in one process, each first in some rounds, so that all meet the
same noise. Ratios are taken round by round. Each contender is warmed up before; what
the first call costs stands beside the others where it matters.
"""

import functools
import json
import subprocess
import sys

import numpy as np
from _clock import in_turn, timed
from _ecg import BATCH_SIZE, EPOCHS, ecg_split, in_unit_range, tutorial_detector
from _jobs import Jobs
from _measurements import Bar, Measurement, collect
from sklearn.ensemble import IsolationForest

from skae import (
    ConvNetwork,
    DenseNetwork,
    ReconstructionOutlierDetector,
    RecurrentNetwork,
)
from skae._engine import (
    Architecture,
    Rows,
    Schedule,
    State,
    TrainingSpec,
    import_quietly,
    train,
)

JOBS = Jobs("timings")

N_FIT_ROWS = 2300
N_ONE_ROW_CALLS = 100

# ----------------------------------------------------------------------- imports

IMPORTS = {
    "import skae": "import skae",
    "skae's detector": "from skae import ReconstructionOutlierDetector",
    "sklearn.base and pandas": (
        "import sklearn.base, sklearn.utils.validation, pandas"
    ),
}
STOPWATCH = """
import json, sys, time
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print(json.dumps([seconds, len({{"tensorflow", "keras"}} & set(sys.modules))]))
"""


@JOBS.job("import", one_value_per="repeat")
def time_imports(size):
    """Importing skae in a fresh process, beside what its users import anyway.

    The second contender is ``from skae import ReconstructionOutlierDetector``, the
    third ``import sklearn.base, sklearn.utils.validation, pandas``. Files are in the
    system's cache; the interpreter's own start is not counted.
    """
    skae, detector, usual = IMPORTS
    for statement in IMPORTS.values():
        _import_freshly(statement)
    rounds = []
    for turn in range(size.n_repeats):
        found = {
            name: _import_freshly(statement)
            for name, statement in in_turn(IMPORTS, turn)
        }
        seconds = {name: one[0] for name, one in found.items()}
        rounds.append(
            {("seconds", name): seconds[name] for name in IMPORTS}
            | {
                ("ratio to the usual", name): seconds[name] / seconds[usual]
                for name in (skae, detector)
            }
            | {
                ("of TensorFlow, Keras imported", name): found[name][1]
                for name in (skae, detector)
            }
        )
    none = Bar("<=", 0, of_every=True)
    return collect(
        rounds,
        {
            ("ratio to the usual", skae): Bar("<=", 1.3),
            ("of TensorFlow, Keras imported", skae): none,
            ("of TensorFlow, Keras imported", detector): none,
        },
    )


def _import_freshly(statement):
    """Return seconds, and how many of TensorFlow and Keras came along."""
    done = subprocess.run(
        [sys.executable, "-c", STOPWATCH.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


# ----------------------------------------------------------------------- trainings

FASTER_FIT = ("times faster than plain Keras", "skae")


@JOBS.job("fit", one_value_per="repeat")
def time_fits(size):
    """Training the tutorials' ECG network, 140-32-16-8 and back.

    2,300 normal beats, 20 epochs, batches of 512, Adam, mean absolute error. skae's
    time is that of one ``fit``, threshold included; that of plain Keras is building,
    compiling and fitting. Every time takes other rows in another order and another
    seed. The loss is that of the last epoch; its ratio is of the medians. "first" is
    the first training in the process, with TensorFlow imported already.
    """
    import_quietly()
    normals = in_unit_range(ecg_split(size)).normals
    contenders = {"skae": _fit_skae, "plain Keras": _fit_keras}
    epochs = size.count(EPOCHS)
    first, *rounds = (
        _fit_round(contenders, normals, turn, epochs)
        for turn in range(size.n_repeats + 1)
    )
    cold = [
        Measurement("seconds, first", name, (first["seconds", name],))
        for name in contenders
    ]
    warm = collect(rounds, {FASTER_FIT: Bar(">=", 8)})
    medians = {
        one.contender: float(np.median(one.values))
        for one in warm
        if one.quantity == "loss"
    }
    away = abs(medians["skae"] / medians["plain Keras"] - 1)
    quantity = "median loss, relative distance from plain Keras's"
    return [*cold, *warm, Measurement(quantity, "skae", (away,), Bar("<=", 0.02))]


def _fit_round(contenders, normals, turn, epochs):
    """Train each contender once, on the same rows, which no other round has."""
    rows = np.random.default_rng(turn).permutation(len(normals))[:N_FIT_ROWS]
    found = {
        name: contender(normals[rows], turn, epochs)
        for name, contender in in_turn(contenders, turn)
    }
    seconds = {name: found[name][0] for name in contenders}
    return {
        **{("seconds", name): seconds[name] for name in contenders},
        FASTER_FIT: seconds["plain Keras"] / seconds["skae"],
        **{("loss", name): found[name][1] for name in contenders},
    }


def _fit_skae(X, seed, epochs):
    """Return seconds, and the last epoch's loss."""
    detector = tutorial_detector(seed, epochs)
    seconds, _ = timed(detector.fit, X)
    return seconds, detector.history_["loss"][-1]


def _fit_keras(X, seed, epochs):
    """Return seconds, and the last epoch's loss."""
    import _keras_tutorial

    seconds, (_, losses) = timed(
        _keras_tutorial.train, X, seed, epochs=epochs, batch_size=BATCH_SIZE
    )
    return seconds, losses[-1]


# -------------------------------------------------------------------------- scores


@JOBS.job("score", one_value_per="call")
def time_scores(size):
    """Scoring heartbeats with the default network, one at a time and 5,000 at once.

    The rivals run the same network, as ``detector.to_keras()`` returns it, with the
    same scaler, and the mean squared error written out in NumPy: through
    ``Model.predict``, and by calling the model. ``Model.predict`` gets 5,000 rows in
    one batch. IsolationForest is another method. Every call gets another row, or all
    rows in another order.
    """
    split = ecg_split(size)
    X = np.concatenate([split.X_train, split.X_test])
    # How long a score takes does not depend on how long the network was trained.
    detector = ReconstructionOutlierDetector(
        error="mse", epochs=size.count(5), random_state=0
    ).fit(split.normals)
    forest = IsolationForest(random_state=0).fit(split.normals)
    model, scaler = detector.to_keras(), detector.scaler_
    predict = functools.partial(model.predict, batch_size=len(X), verbose=0)
    contenders = {
        "skae": detector.score_samples,
        "Model.predict": _scorer(scaler, predict),
        "Model(...)": _scorer(scaler, lambda scaled: model(scaled).numpy()),
        "IsolationForest": forest.score_samples,
    }
    rng = np.random.default_rng(0)
    one_row = [X[i : i + 1] for i in rng.permutation(len(X))[:N_ONE_ROW_CALLS]]
    all_rows = [rng.permutation(X) for _ in range(size.n_repeats)]
    measured = [
        *_time_calls(contenders, one_row[: size.count(len(one_row))], Bar(">=", 50)),
        *_time_calls(contenders, all_rows),
    ]
    ours, theirs = (contenders[name](X) for name in ("skae", "Model.predict"))
    away = float(np.max(np.abs(ours - theirs) / np.abs(theirs)))
    quantity = "largest relative difference from Model.predict's scores"
    return [*measured, Measurement(quantity, "skae", (away,), Bar("<=", 1e-3))]


def _scorer(scaler, reconstruct):
    """Return ``score_samples`` as it is written without skae."""

    def score_samples(X):
        scaled = scaler.transform(X)
        return -np.mean(np.square(reconstruct(scaled) - scaled), axis=1)

    return score_samples


def _time_calls(contenders, batches, bar=None):
    """Return the measurements of all contenders on all batches, a round for each."""
    rows = f"{len(batches[0]):,} row{'s' * (len(batches[0]) > 1)}"
    faster = f"{rows}, times faster than Model.predict", "skae"
    for contender in contenders.values():
        contender(batches[0])
    rounds = []
    for turn, batch in enumerate(batches):
        seconds = {
            name: timed(contender, batch)[0]
            for name, contender in in_turn(contenders, turn)
        }
        rounds.append(
            {(f"{rows}, ms", name): 1000 * seconds[name] for name in contenders}
            | {faster: seconds["Model.predict"] / seconds["skae"]}
        )
    return collect(rounds, {} if bar is None else {faster: bar})


# ---------------------------------------------------------------------------- modes

MODES = ("compiled", "xla", "uncompiled")
# Name: (network, shape of a row, latent_dim, rows, batch size)
MODE_CASES = {
    "small dense": (DenseNetwork((32, 16)), (140,), 8, 2300, 512),
    "default dense": (DenseNetwork(), (140,), 4, 2300, 128),
    "wide dense": (DenseNetwork(()), (784,), 64, 10_000, 32),
    "convolutions": (ConvNetwork((16, 8)), (28, 28, 1), None, 2000, 32),
    "LSTM": (RecurrentNetwork((16,)), (20, 1), 8, 1000, 128),
}


@JOBS.job("modes", one_value_per="repeat")
def time_modes(size):
    """One epoch of the engine's programs: compiled, by XLA, and uncompiled.

    Random rows, mean squared error, Adam. "first" is the epoch of a program that is yet
    to be built and traced, and by XLA compiled, which it is for every size of a batch;
    the others find it. XLA has to win on both counts to be a network's default.
    """
    measurements = []
    for case, (network, shape, latent_dim, n_rows, batch_size) in MODE_CASES.items():
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(n_rows, *shape)).astype(np.float32)
        architecture = Architecture(network, shape, shape, latent_dim)
        job = (
            TrainingSpec(architecture, "mse", "adam"),
            Rows(size.rows(rows)),
            None,
            Schedule(epochs=1, batch_size=batch_size),
            State(),
            0,
        )
        run = {mode: functools.partial(train, *job, mode=mode) for mode in MODES}
        for mode in MODES:
            quantity = f"{case}: seconds of an epoch, first"
            measurements.append(Measurement(quantity, mode, (timed(run[mode])[0],)))
        rounds = [
            {
                (f"{case}: seconds of an epoch", mode): timed(call)[0]
                for mode, call in in_turn(run, turn)
            }
            for turn in range(size.n_repeats)
        ]
        measurements += collect(rounds, {})
    return measurements


if __name__ == "__main__":
    JOBS.main(__doc__)

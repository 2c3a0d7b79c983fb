"""From settings and arrays to a trained autoencoder."""

import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skae import AutoencoderTransformer, DenoisingRegressor
from skae import _engine as engine
from skae._autoencoder import Budget, Settings, Table, Training, Watching
from skae._autoencoder._train import Progress, train_autoencoder
from skae.corruptions import GaussianNoise, MaskingNoise
from skae.networks import DenseNetwork

SETTINGS = Settings(
    latent_dim=2,
    network=DenseNetwork((4,)),
    scaler="standard",
    loss="mse",
    optimizer="adam",
    learning_rate=None,
    epochs=3,
    batch_size=16,
    validation_fraction=None,
    patience=None,
    corruption=None,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def X(rng):
    return 3 + 2 * rng.normal(size=(40, 5))


@pytest.fixture
def asked(monkeypatch):
    """Return the list of what the engine was asked for; it trains nothing."""
    calls = []

    def train(spec, rows, validation, schedule, state, seed, where, check_range):
        layers = spec.architecture.layers
        check_range(None if layers is None else layers.output_range)
        calls.append((spec, rows, validation, schedule, state, seed))
        assert where == "auto"
        history = {"loss": [1.0] * schedule.epochs}
        weights = state.weights or engine.initial_weights(spec.architecture, seed)
        trained = engine.State(weights, state.optimizer)
        return engine.Trained(trained, history, {"training": 1.0}, (2,))

    monkeypatch.setattr(engine, "train", train)
    return calls


def fit(table, validation=None, *, seed=0, progress=None, watching=None, **changes):
    """Return (autoencoder, optimizer state)."""
    table = table if isinstance(table, Table) else Table(table)
    settings = replace(SETTINGS, **changes)
    watching = watching or Watching()
    training = Training(settings, table, validation, seed)
    return train_autoencoder(training, watching, progress or Progress())[:2]


# ---------------------------------------------------------------------- scaling


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_engine_gets_scaled_float32(dtype, asked, X):
    autoencoder, _ = fit(X.astype(dtype))
    _, rows, validation, _, state, _ = asked[0]
    assert rows.x.dtype == np.float32
    assert rows.y is rows.weight is validation is None
    np.testing.assert_allclose(rows.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.x.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(autoencoder.scaler.inverse_transform(rows.x), X, 1e-4)
    assert state.weights is None
    assert state.optimizer is None


def test_scaling_in_blocks_is_scaling(asked, X):
    fit(X, scaler="minmax")
    fit(np.tile(X, (1000, 1)), scaler="minmax")
    assert np.array_equal(np.tile(asked[0][1].x, (1000, 1)), asked[1][1].x)


def test_targets_of_the_rows_shape_share_the_scaler(asked, X):
    autoencoder, _ = fit(Table(X, 2 * X + 100))
    assert autoencoder.target_scaler is autoencoder.scaler
    assert asked[0][1].y.mean() > 10
    autoencoder, _ = fit(Table(X, 2 * X[:, :3] + 100))
    assert autoencoder.target_scaler is not autoencoder.scaler
    np.testing.assert_allclose(asked[1][1].y.mean(axis=0), 0, atol=1e-5)
    assert autoencoder.architecture.output_shape == (3,)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_too_large_for_float32(sign, X):
    X[3, 2] = sign * 1e39
    message = r"X is too large for float32 after scaling: it ranges from .*1e\+39"
    with pytest.raises(ValueError, match=message):
        fit(X, scaler=None)
    y = X.copy()
    X[3, 2] = 0
    with pytest.raises(ValueError, match=r"y is too large .*, or rescale y\."):
        fit(Table(X, y), scaler=None)


@pytest.mark.parametrize("scaler", ["standard", "minmax", "common", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_takes_little_memory_besides_its_rows(weighted, scaler, rng):
    """One scaled copy, split or not, and blocks."""
    X = rng.normal(size=(150_000, 40)).astype(np.float32)
    weight = rng.uniform(0.5, 2, size=len(X)) if weighted else None
    options = {"network": DenseNetwork(()), "epochs": 1, "batch_size": 8192}
    fit(X[:100], validation_fraction=0.05, **options)  # what is imported
    tracemalloc.start()
    fit(Table(X, None, weight), validation_fraction=0.05, scaler=scaler, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * X.nbytes


@pytest.mark.parametrize("scaler", ["standard", "minmax", "common"])
def test_float32_rows_train_as_their_float64_copies(scaler, rng):
    single = (50 + rng.normal(size=(60, 5)) * [1, 2, 3, 4, 5]).astype(np.float32)
    one, other = (
        fit(rows, scaler=scaler, validation_fraction=0.1)[0]
        for rows in (single, single.astype(np.float64))
    )
    assert all(map(np.array_equal, one.weights, other.weights))
    assert one.history == other.history


def test_rounding_in_float64_moves_no_weight(X):
    one, other = (fit(rows)[0] for rows in (X, X + 1e-12))
    assert all(map(np.array_equal, one.weights, other.weights))


# ---------------------------------------------------------- validation and weights


@pytest.mark.parametrize(
    ("n", "fraction", "n_held"),
    [(40, 0.25, 10), (2, 0.01, 1), (2, 0.99, 1), (3, 0.5, 2)],
)
def test_the_split(n, fraction, n_held, asked, X):
    weight = np.arange(1.0, n + 1)
    fit(Table(X[:n], X[:n, :2], weight), validation_fraction=fraction, scaler=None)
    _, kept, held, _, _, _ = asked[0]
    assert len(held.x) == n_held
    expected = X[:n].astype(np.float32)
    places = [int(np.flatnonzero((expected == row).all(1))[0]) for row in kept.x]
    others = [int(np.flatnonzero((expected == row).all(1))[0]) for row in held.x]
    assert sorted(places + others) == list(range(n))
    for rows, chosen in ((kept, places), (held, others)):
        assert np.array_equal(rows.y, expected[chosen, :2])
        share = weight[chosen] / weight[chosen].mean()
        np.testing.assert_allclose(rows.weight, share, rtol=1e-6)


def test_the_split_depends_on_the_seed_alone(asked, X):
    for seed in (0, 0, 1):
        fit(X, seed=seed, validation_fraction=0.2)
    held = [call[2].x for call in asked]
    assert np.array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])


def test_given_validation_rows_leave_all_others_to_training(asked, X):
    given = Table(X[:7] + 1, None, np.arange(1.0, 8))
    fit(Table(X, None, np.full(40, 3.0)), given, validation_fraction=0.5)
    _, rows, held, _, _, _ = asked[0]
    assert len(rows.x) == 40
    assert len(held.x) == 7
    assert rows.weight is None  # equal ones change nothing
    np.testing.assert_allclose(held.weight, np.arange(1, 8) / 4)
    np.testing.assert_allclose(held.x[:, 0] - rows.x[:7, 0], 1 / X[:, 0].std(), 1e-4)


# ---------------------------------------------------------------------- schedule


def test_auto_epochs_make_a_budget_of_steps(asked, X):
    for n, batch_size in ((40, 16), (40, 1), (2, 100)):
        fit(X[:n], epochs="auto", batch_size=batch_size)
        schedule = asked[-1][3]
        steps = schedule.epochs * -(-n // batch_size)
        assert schedule.batch_size == batch_size
        assert Budget().steps <= steps < Budget().steps + n
    fit(np.tile(X, (200, 1)), epochs="auto", batch_size=1)
    assert asked[-1][3].epochs == Budget().fewest_epochs
    fit(X, epochs=7, patience=2)
    assert (asked[-1][3].epochs, asked[-1][3].patience) == (7, 2)


@pytest.mark.parametrize("name", ["auto", "keras", "numpy"])
def test_the_engine_is_told_where_to_train(name, X, monkeypatch):
    seen, train = [], engine.train

    def noted(*args):
        *others, where, check_range = args
        seen.append(where)
        return train(*others, "auto", check_range)

    monkeypatch.setattr(engine, "train", noted)
    fit(X, engine=name)
    assert seen == [name]


def test_a_budget_is_kept_within_bounds():
    budget = Budget(steps=1500, fewest_epochs=10, most_epochs=50)
    rows = (np.arange(n).reshape(-1, 1) for n in (1, 29, 40, 100, 1000))
    assert [budget.n_epochs(x, 1) for x in rows] == [50, 50, 38, 15, 10]


def test_auto_epochs_count_the_rows_that_train(asked, X):
    fit(X, epochs="auto", batch_size=1, validation_fraction=0.5)
    assert asked[0][3].epochs == Budget().steps // 20


def test_one_pass_is_one_epoch_over_all_rows():
    settings = replace(SETTINGS, epochs="auto", validation_fraction=0.2, patience=3)
    one = settings.for_one_pass()
    assert (one.epochs, one.validation_fraction, one.patience) == (1, None, None)
    assert one.loss == settings.loss


def test_the_specification_is_what_the_settings_say(asked, X):
    noise = GaussianNoise(0.1)
    callbacks = [lambda: None]
    fit(
        X,
        loss="mae",
        optimizer="sgd",
        learning_rate=0.3,
        corruption=noise,
        watching=Watching(callbacks, 1),
        seed=7,
    )
    spec, _, _, schedule, _, seed = asked[0]
    assert (spec.loss, spec.optimizer, spec.learning_rate) == ("mae", "sgd", 0.3)
    assert spec.corruption is noise
    assert schedule.callbacks == callbacks
    assert (schedule.verbose, schedule.first_epoch, seed) == (1, 0, 7)


def test_the_time_is_told_on_request(asked, capsys, X):
    fit(X, watching=Watching(verbose=1))
    assert capsys.readouterr() == ("", "")
    fit(X, watching=Watching(verbose=2))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("skae: scaling 0.")
    assert err.endswith("training 1.00 s\n")


# ------------------------------------------------------- targets and what meets them

SIGMOID = DenseNetwork((4,), output_activation="sigmoid")


def test_a_bounded_output_and_targets_outside_it(asked, X):
    message = (
        r"network DenseNetwork\(.*output_activation='sigmoid'\) gives values in \[0, 1"
        r"\], but the data after scaling \(scaler='standard'\) range from -\d.* to \d.*"
        r"\. Use scaler='minmax', or an unbounded output \(output_activation=None\)"
    )
    with pytest.raises(ValueError, match=message):
        fit(X, network=SIGMOID)
    assert not asked
    fit(X, network=SIGMOID, scaler="minmax")
    # Inputs may lie anywhere; it is the targets that the output must reach.
    fit(Table(X, np.linspace(0, 1, 40)[:, None]), network=SIGMOID, scaler=None)
    assert len(asked) == 2


def test_one_sided_outputs(X):
    with pytest.raises(ValueError, match=r"gives values in \[0, inf\], but the data"):
        fit(X, network=DenseNetwork((4,), output_activation="relu"))


def test_a_cross_entropy_and_targets_that_are_no_probabilities(X):
    message = (
        r"loss 'binary_crossentropy' needs values in \[0, 1\], but the data after scal"
        r"ing \(scaler=None\) range from .*\. Use scaler='minmax'"
    )
    with pytest.raises(ValueError, match=message):
        fit(X, scaler=None, loss="binary_crossentropy")


def test_a_cross_entropy_and_outputs_that_are_no_probabilities(asked, X):
    message = (
        r"loss 'bce' needs outputs in \[0, 1\], but network DenseNetwork\(.*\) gives "
        r"outputs in \[-inf, inf\]\. Use output_activation='sigmoid'\."
    )
    with pytest.raises(ValueError, match=message):
        fit(X, scaler="minmax", loss="bce")
    fit(X, scaler="minmax", loss="bce", network=SIGMOID)
    assert len(asked) == 1


def test_a_cross_entropy_of_logits_takes_any_output(asked, X):
    from skae.networks._quiet import import_quietly

    import_quietly()
    import keras

    loss = keras.losses.BinaryCrossentropy(from_logits=True, name="mine")
    fit(X, scaler="minmax", loss=loss)
    assert len(asked) == 1
    with pytest.raises(ValueError, match=r"needs values in \[0, 1\]"):
        fit(X, scaler="standard", loss=loss)


def test_rounding_at_a_range_is_no_error(asked, X):
    fit(X.astype(np.float32) * np.float32(1e-7), scaler="minmax", network=SIGMOID)
    fit(1e6 + X.astype(np.float32), scaler="minmax", network=SIGMOID)
    assert len(asked) == 2


# -------------------------------------------------------------------- continuing


def test_progress_continues_with_scaler_weights_and_state(asked, X):
    begun, _ = fit(X)
    state = [np.ones(3)]
    continued, _ = fit(X + 100, progress=Progress(begun, state, 12))
    assert continued.scaler is begun.scaler
    _, rows, _, schedule, given, _ = asked[1]
    assert given.weights is begun.weights
    assert given.optimizer is state
    assert schedule.first_epoch == 12
    assert rows.x.mean() > 10  # in the units of the first rows


def test_rows_outside_the_first_rows_range(asked, X):
    begun, _ = fit(X, scaler="minmax", network=SIGMOID)
    message = (
        r"\(scaler='minmax'\) range from .*\. Let the first rows, which fix the scaler,"
        " span the data's range, or an unbounded output"
    )
    with pytest.raises(ValueError, match=message):
        fit(X + 9, scaler="minmax", network=SIGMOID, progress=Progress(begun))


@pytest.mark.parametrize(
    "changes",
    [{"network": DenseNetwork((5,))}, {"latent_dim": 3}, {"network": SIGMOID}],
    ids=["hidden_units", "latent_dim", "activation"],
)
def test_another_network_cannot_continue(changes, asked, X):
    begun, _ = fit(X)
    message = (
        r"Training cannot continue: it began with DenseNetwork\(hidden_units=\(4,\)\) "
        r"and latent_dim=2 on rows of shape \(5,\); now it is DenseNetwork\(.*\) and "
        r"latent_dim=\d on rows of shape \(5,\)\. Keep them, or begin anew: fit with w"
    )
    with pytest.raises(ValueError, match=message):
        fit(X, progress=Progress(begun), **changes)


def test_other_shapes_cannot_continue(asked, X):
    begun, _ = fit(X)
    with pytest.raises(ValueError, match=r"now it is .* on rows of shape \(4,\)\."):
        fit(X[:, :4], progress=Progress(begun))
    message = r"now it is .* on rows of shape \(5,\) and targets of shape \(3,\)\."
    with pytest.raises(ValueError, match=message):
        fit(Table(X, X[:, :3]), progress=Progress(begun))


# -------------------------------------------------------------------- divergence


def test_a_diverged_training_is_explained(X):
    message = (
        r"^Training diverged: the loss became (nan|inf) in epoch \d+ "
        r"\(last finite value \d.*\)\. X ranges from -?\d.* to \d.*; "
        r"lower learning_rate \(now 1000\)\.$"
    )
    with pytest.raises(ValueError, match=message) as caught:
        fit(X, optimizer="sgd", learning_rate=1e3, epochs=50, batch_size=40)
    assert isinstance(caught.value.__cause__, engine.TrainingDivergedError)


def explained(X, monkeypatch, table=None, **changes):
    """Return the message of a training that diverges in its first epoch."""

    def train(*args, **options):
        raise engine.TrainingDivergedError(
            name="val_loss",
            value=np.inf,
            epoch=1,
            last_finite=None,
            learning_rate=np.float32(0.1),
        )

    monkeypatch.setattr(engine, "train", train)
    with pytest.raises(ValueError, match="Training diverged") as caught:
        fit(table or X, **changes)
    return str(caught.value)


def test_the_explanation_names_the_knobs(X, monkeypatch):
    X = np.array([[-1e4, 0.0], [2.5, 3e5]])
    assert explained(X, monkeypatch, scaler=None) == (
        "Training diverged: the val_loss became inf in epoch 1. X ranges from -1e+04 "
        "to 3e+05; use scaler='standard', or lower learning_rate (now 0.1)."
    )
    text = explained(X, monkeypatch, Table(X, X[:, :1]), optimizer=object())
    assert text.endswith(
        "X ranges from -1e+04 to 3e+05, y from -1e+04 to 2.5; lower the optimizer's "
        "learning rate (now 0.1)."
    )


# ---------------------------------------------------- trainings that end far worse


@pytest.mark.parametrize(
    ("options", "knob"),
    [
        ({"learning_rate": 100.0}, r"learning_rate \(now 100\.0\)"),
        ({"learning_rate": 30.0, "loss": "mae"}, r"learning_rate \(now 30\.0\)"),
        ({"learning_rate": 100.0, "patience": 3}, r"learning_rate \(now 100\.0\)"),
        ({"learning_rate": 100.0, "validation_fraction": 0.2}, "learning_rate"),
        ({"learning_rate": 100.0, "corruption": GaussianNoise(0.1)}, "learning_rate"),
    ],
)
def test_a_training_that_ends_far_worse_than_it_began_warns(options, knob, X):
    options |= {"network": DenseNetwork(), "epochs": 30}
    transformer = AutoencoderTransformer(2, random_state=0, **options)
    with pytest.warns(ConvergenceWarning, match=f"far worse .* Lower {knob}") as caught:
        transformer.fit(X)
    assert len(caught) == 1
    assert transformer.r2_ < -1


def test_a_pass_that_ends_far_worse_than_it_began_warns(X):
    regressor = DenoisingRegressor(learning_rate=0.001, random_state=0)
    regressor.partial_fit(X, X[:, :2])
    regressor.set_params(learning_rate=100.0, batch_size=4)
    with pytest.warns(ConvergenceWarning, match="ended far worse than it began"):
        regressor.partial_fit(X, X[:, :2])


@pytest.mark.parametrize("scaler", ["standard", "minmax", None])
@pytest.mark.parametrize("fraction", [None, 0.9])
@pytest.mark.parametrize("make", ["ordinary", "far", "constant", "sparse"])
def test_short_and_poor_trainings_do_not_warn(make, fraction, scaler, X, rng):
    X = {
        "ordinary": X,
        "far": X + 1000,
        "constant": np.full_like(X, 3.0),
        "sparse": (rng.uniform(size=X.shape) < 0.05).astype(float),
    }[make]
    corruption = None if fraction is None else MaskingNoise(fraction)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epochs in (1, 100):
            AutoencoderTransformer(
                2, scaler=scaler, epochs=epochs, corruption=corruption, random_state=0
            ).fit(X)

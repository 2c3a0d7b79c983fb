"""The benchmarks' harness: bars, records, commands, tables, rivals and networks."""

import importlib
import json
import math
import operator
import platform
import statistics

import numpy as np
import pytest
from harness import data, jobs, machine, networks, rivals, text
from harness.jobs import Bar, Measurement
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import mean_squared_error
from sklearn.neighbors import LocalOutlierFactor

from skae import AutoencoderTransformer

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
lists = st.lists(numbers, min_size=1, max_size=12)


@pytest.fixture
def result():
    """Return what ``Jobs.run`` returns for a job of two measurements."""
    some = jobs.Jobs("some")

    @some.job("two-things", reference="a book")
    def two_things(size):
        """Two things.

        The second has
        a bar.
        """
        first = Measurement("length, m", "rival", tuple(map(float, size.seeds)))
        return [first, Measurement("length, m", "skae", (3.0,), Bar(">", 4))]

    return some.run("two-things", jobs.Size())


@pytest.fixture
def record(result):
    """Return the record of a job of two measurements."""
    return result.record


# -------------------------------------------------------------- bars and numbers


@given(lists, numbers)
@settings(max_examples=60)
def test_bar_judges_the_median_or_every_value(values, limit):
    relations = {"<": operator.lt, "<=": operator.le, ">": operator.gt}
    for name, holds in {**relations, ">=": operator.ge}.items():
        median = statistics.median(values)
        assert Bar(name, limit).is_met(values) == holds(median, limit)
        every = all(holds(value, limit) for value in values)
        assert Bar(name, limit, of_every=True).is_met(values) == every


def test_bar_in_words():
    assert str(Bar(">=", 0.945)) == "median >= 0.945"
    assert str(Bar("<", 1.0, of_every=True)) == "every < 1"


@given(lists, numbers)
@settings(max_examples=60)
def test_verdict_is_that_of_the_numbers_which_are_kept(values, limit):
    bar = Bar(">=", limit, of_every=True)
    kept = Measurement("length", "skae", tuple(values), bar).record()
    assert kept["met"] == bar.is_met(kept["values"])
    assert kept["min"] <= kept["median"] <= kept["max"]
    np.testing.assert_allclose(kept["values"], values, rtol=1e-5)


def test_without_a_bar_there_is_no_verdict():
    assert Measurement("length", "skae", (1.0,)).record()["met"] is None


def test_collect_gathers_rounds_in_order():
    rounds = [{("b", "x"): i, ("a", "y"): 10 * i} for i in range(3)]
    bar = Bar("<", 5)
    found = jobs.collect(rounds, {("a", "y"): bar})
    assert found == [
        Measurement("b", "x", (0, 1, 2)),
        Measurement("a", "y", (0, 10, 20), bar),
    ]
    assert jobs.values_of(found, "a", "y") == (0, 10, 20)


@pytest.mark.parametrize("name", ["bars", "references"])
def test_collect_refuses_bars_of_what_is_not_measured(name):
    message = (
        rf"{name} has \[\('c', 'x'\)\], but only \[\('b', 'x'\)\] are measured\. Give "
        r"one of these\."
    )
    with pytest.raises(ValueError, match=message):
        jobs.collect([{("b", "x"): 1}], **{name: {("c", "x"): None}})


@given(numbers)
@settings(max_examples=100)
def test_number_has_four_digits_and_no_power_of_ten(value):
    shown = text.number(value)
    assert "e" not in shown
    assert math.isclose(float(shown), value, rel_tol=1e-3)


# ------------------------------------------------------------------------ tables


def cells_of(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_table_has_a_cell_for_each_thing(record):
    head, rule, *lines = text.table(record["measurements"]).splitlines()
    assert len({len(line) for line in (head, rule, *lines)}) == 1
    rows = [dict(zip(cells_of(head), cells_of(line), strict=True)) for line in lines]
    assert [row["contender"] for row in rows] == ["rival", "skae"]
    assert [row["values"] for row in rows] == ["0, 1, 2, 3, 4", "one"]
    assert [row["median"] for row in rows] == ["2", "3"]
    assert [(row["bar"], row["result"]) for row in rows] == [
        ("", ""),
        ("median > 4", "MISSED"),
    ]


def test_many_values_are_counted_in_the_table():
    many = Measurement("time", "skae", (1.0,) * 11, Bar("<", 2)).record()
    last = cells_of(text.table([many]).splitlines()[-1])
    assert last[-3:] == ["11 values", "median < 2", "MET"]


def test_references_have_a_column_where_there_is_one(record):
    first, second = record["measurements"]
    head, *_ = text.table([first, second]).splitlines()
    assert "reference" not in cells_of(head)
    head, _, *lines = text.table([first, second | {"reference": "3"}]).splitlines()
    place = cells_of(head).index("reference")
    assert [cells_of(line)[place] for line in lines] == ["", "3"]


def test_summary_has_a_line_for_each_quantity_bar_and_reference(record):
    first, second = record["measurements"]
    lines = [cells_of(line) for line in text.summary([first, second]).splitlines()]
    assert lines[0] == ["measured", "contender", "median (spread)", "bar", "others"]
    assert lines[2:] == [
        ["length, m", "skae", "3", "median > 4: MISSED", "rival 2 (0 to 4)"]
    ]
    both = text.summary([first | {"reference": "about 2"}, second])
    assert [cells_of(line) for line in both.splitlines()][2:] == [
        ["length, m", "rival", "2 (0 to 4)", "", "about 2"],
        ["length, m", "skae", "3", "median > 4: MISSED", ""],
    ]
    alone = text.summary([first])
    assert [cells_of(line) for line in alone.splitlines()] == [
        ["measured", "contender", "median (spread)"],
        ["---"] * 3,
        ["length, m", "rival", "2 (0 to 4)"],
    ]


def test_page_and_overview_count_bars(record):
    page = text.page("some", "Does it work?\n\nIt\nshould.", [record, record])
    assert page.startswith("# some.py: Does it work?\n\nIt should.\n\n")
    assert "0 of 2 bars are met." in page
    assert page.count("## two-things\n") == 2
    words = f"- two-things, two-things: {text.environment(record)}\n"
    assert page.endswith(f"## Where it ran\n\n{words}")
    overview = text.overview({"some": ("Does it work?", [record])}).splitlines()
    assert cells_of(overview[2]) == [
        *("[some](results/some.md)", "Does it work?", "1", "0 of 1")
    ]
    job = "[two-things](results/some.md#two-things)"
    assert cells_of(overview[-1]) == [job, "length, m (skae)", "3", "median > 4"]


def test_text_shows_epochs_notes_and_picture_where_there_are_any(record):
    more = {"epochs": "13 of 50", "notes": ["A note."], "picture": "two-things.png"}
    shown = text.as_text(record | more)
    assert "Networks were trained for 13 of 50 epochs." in shown
    assert "\n\nA note.\n\n" in shown
    assert "![two-things](results/some/two-things.png)" in shown
    section = text.as_section(record | more)
    assert "Networks were trained for 13 of 50 epochs." in section
    assert section.endswith("\n\nA note.\n\n![two-things](some/two-things.png)")
    without = text.as_text({key: record[key] for key in record if key not in more})
    assert without == text.as_text(record)
    assert "epochs" not in without
    assert "![" not in without


def test_text_has_description_machine_and_versions(record):
    shown = text.as_text(record)
    assert shown.startswith("### two-things\n\nTwo things.\n\nThe second has a bar.\n")
    assert "Reference: a book." in shown
    words = " ".join(shown.split())
    assert "One value per seed (0, 1, 2, 3, 4)" in words
    assert f"{machine.machine()['cores']} cores" in words
    assert f"python {platform.python_version()}" in words
    assert "Quick" not in words
    assert "Quick" in text.as_text(record | {"is_quick": True})


def test_a_grid_is_a_table_and_json(tmp_path):
    some = jobs.Jobs("some")

    @some.job("it")
    def it(size):
        """It."""
        first = jobs.Grid("First", "table", ("a", "b"), {"t": [1.23456789, None]})
        second = jobs.Grid("Second", "table", ("a",), {"t": [1.0]})
        one = Measurement("m", "skae", (1.0,))
        return jobs.Findings([one], grids=(first, second))

    result = some.run("it", jobs.Size())
    shown = text.as_text(result.record)
    assert "First:\n\n| table |     a |  b |\n| ----- | ----: | -: |\n" in shown
    assert "| t     | 1.235 |    |" in shown
    assert "Second:" in shown
    # A page has the first only.
    assert "Second:" not in text.as_section(result.record)
    assert "First:" in text.as_section(result.record)
    jobs.write(result, tmp_path)
    written = (tmp_path / "some" / "it.json").read_text()
    assert '"t": [1.23457, null]' in written
    assert json.loads(written) == result.record


# ----------------------------------------------------------- records and commands


def test_environment_names_versions_but_no_host():
    assert set(machine.PACKAGES) < set(machine.versions())
    found = machine.machine()
    assert found["cores"] >= 1
    assert found["cpu"]
    if platform.node() not in ("", "localhost"):
        assert platform.node() not in json.dumps(found)


def test_record_is_the_same_after_a_file(result, tmp_path):
    jobs.write(result, tmp_path)
    path = tmp_path / "some" / "two-things.json"
    assert json.loads(path.read_text()) == result.record
    assert '"values": [0.0, 1.0, 2.0, 3.0, 4.0]' in path.read_text()


def test_two_jobs_of_one_name_are_refused():
    some = jobs.Jobs("some")
    some.job("one")(len)
    message = "'one' is a job of some already. Choose another name."
    with pytest.raises(ValueError, match=message):
        some.job("one")(len)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["digits"], "'digits' is no job here; choose from one, two"),
        (["--seeds", "0"], "'0' is no positive integer"),
        (["--repeats", "x"], "'x' is no positive integer"),
    ],
)
def test_wrong_command_lines(argv, message, capsys):
    some = jobs.Jobs("some")
    for name in ("one", "two"):
        some.job(name)(len)
    with pytest.raises(SystemExit):
        some.main("Words.", argv)
    assert message in capsys.readouterr().err


def test_command_line_sets_size_and_folder(tmp_path, capsys):
    some, sizes = jobs.Jobs("some", results=tmp_path / "usual"), []

    @some.job("one")
    def one(size):
        """One."""
        sizes.append(size)
        return [Measurement("length", "skae", (1.0,))]

    some.main("Words.", ["--quick"])
    assert list(tmp_path.iterdir()) == []
    some.main("Words.", ["one", "--seeds", "2", "--repeats", "3"])
    some.main("Words.", ["--output", str(tmp_path / "other")])
    assert sizes == [jobs.QUICK, jobs.Size((0, 1), 3), jobs.Size()]
    assert (tmp_path / "usual" / "some" / "one.json").is_file()
    assert (tmp_path / "other" / "some" / "one.json").is_file()
    assert capsys.readouterr().out.count("### one") == 3


def test_a_long_job_runs_fewer_seeds_and_repeats():
    some, seen = jobs.Jobs("some"), []

    @some.job("long", max_seeds=2, epochs=jobs.Epochs(13, of=50))
    def long(size):
        """Long."""
        seen.append(size.seeds)
        return [Measurement("length", "skae", (1.0,))]

    records = [some.run("long", size).record for size in (jobs.Size(), jobs.QUICK)]
    assert seen == [(0, 1), (0,)]
    assert [record["seeds"] for record in records] == [[0, 1], [0]]
    assert [record["epochs"] for record in records] == ["13 of 50", "2 of 50"]
    assert [jobs.Size().at_most(n).n_repeats for n in (5, 50)] == [5, 11]


def test_contenders_take_turns_at_being_first():
    contenders = {"a": abs, "b": bool, "c": chr}
    firsts = [machine.in_turn(contenders, turn)[0][0] for turn in range(6)]
    assert firsts == ["a", "b", "c", "a", "b", "c"]
    assert dict(machine.in_turn(contenders, 1)) == contenders


def test_a_timed_call_returns_its_result():
    seconds, result = machine.timed(sorted, [2, 1], reverse=True)
    assert seconds >= 0
    assert result == [2, 1]


def test_a_process_returns_its_result_or_its_error():
    seconds, n_found = machine.run_process("import_statement", "import json")
    assert seconds >= 0
    assert n_found == 0
    with pytest.raises(RuntimeError, match="The process import_statement failed: "):
        machine.run_process("import_statement", "import no_such_module")


# ------------------------------------------------------------- data and networks


def test_noise_is_the_same_for_all_contenders(data_folder, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", str(data_folder))
    turn, other = (jobs.Turn(seed, jobs.QUICK) for seed in (0, 1))
    parts, again = (data.load_noisy("MNIST", turn, 0.5) for _ in range(2))
    for part, same, different in zip(
        parts, again, data.load_noisy("MNIST", other, 0.5), strict=True
    ):
        np.testing.assert_array_equal(part.noisy, same.noisy)
        np.testing.assert_array_equal(part.clean, different.clean)
        assert (part.noisy != different.noisy).any()
        assert part.noisy.min() == 0
        assert part.noisy.max() == 1
        assert part.noisy.dtype == np.float32
    # Half of the noise on black is clipped away, the rest has a known mean square.
    black = parts[0].noisy[parts[0].clean == 0]
    assert np.mean(black == 0) == pytest.approx(0.5, abs=0.01)


SAME_NETWORKS = {
    "dense": (networks.dense(), (784,), 32, {}),
    "deep": (networks.dense(128, 64), (784,), 32, {"units": (128, 64, 32)}),
    "conv_small": (networks.CONV_SMALL, (28, 28, 1), None, {}),
    "conv": (networks.CONV, (28, 28, 1), None, {}),
    "conv_strided": (networks.CONV_STRIDED, (28, 28, 1), None, {}),
    "dense_denoiser": (networks.dense(512), (28, 28, 1), 32, {}),
}


@pytest.fixture(scope="module")
def keras_networks():
    """Return the module that imports Keras."""
    machine.import_keras()
    return importlib.import_module("harness.keras_networks")


@pytest.mark.parametrize("name", SAME_NETWORKS)
def test_plain_keras_builds_the_same_network(name, keras_networks):
    network, shape, width, params = SAME_NETWORKS[name]
    build = getattr(keras_networks, "dense" if name == "deep" else name)
    rows = np.random.default_rng(0).random((8, *shape), np.float32)
    ours = AutoencoderTransformer(
        width, network=network, scaler=None, epochs=1, validation_fraction=None
    ).fit(rows)
    theirs = build(0, **params).weights
    built = ours.to_keras().get_weights()
    assert [w.shape for w in built] == [w.shape for w in theirs]
    again, other = (build(seed, **params).get_weights()[0] for seed in (0, 1))
    np.testing.assert_array_equal(again, theirs[0].numpy())
    assert (again != other).any()


def test_plain_keras_trains_the_same_network(data_folder, monkeypatch, keras_networks):
    monkeypatch.setenv("SKAE_DATA", str(data_folder))
    normals = data.in_unit_range(data.ecg_split(jobs.QUICK)).normals
    detector = networks.ecg_detector(0, epochs=2).fit(normals)

    def train():
        keras_networks.seed_batch_order(0)
        return keras_networks.fit_ecg(normals, 0, epochs=2, batch_size=512)

    model, losses = train()
    ours = [w.shape for w in detector.to_keras().get_weights()]
    assert ours == [w.shape for w in model.get_weights()]
    assert detector.history_["loss"] == pytest.approx(losses, rel=0.2)
    assert train()[1] == pytest.approx(losses)


# -------------------------------------------------------------------------- rivals


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)) @ rng.normal(size=(2, 5)) + 0.05 * rng.normal(
        size=(60, 5)
    )


def test_pca_errors_are_those_of_reconstruction():
    X = load_digits().data
    X_train, X_test = X[:900], X[900:]
    pca = PCA(8).fit(X_train)
    output = pca.inverse_transform(pca.transform(X_test))
    expected = mean_squared_error(X_test, output)
    errors = rivals.PCAErrors(8).fit(X_train).errors(X_test)
    assert rivals.pca_test_error(8, X_train, X_test) == pytest.approx(expected)
    assert errors.mean() == pytest.approx(expected)
    # With as many components as columns nothing is lost.
    every = rivals.PCAErrors(64).fit(X_train)
    np.testing.assert_allclose(every.errors(X_test), 0, atol=1e-12)


def test_pca_never_keeps_every_component(rows):
    errors = rivals.PCAErrors().fit(rows)
    assert errors.pca_.n_components_ < 5
    pca = PCA(errors.pca_.n_components_).fit(rows)
    expected = np.square(pca.inverse_transform(pca.transform(rows)) - rows).mean(axis=1)
    np.testing.assert_allclose(errors.score_samples(rows), -expected)
    round_cloud = np.random.default_rng(0).normal(size=(100, 2))
    assert rivals.PCAErrors().fit(round_cloud).pca_.n_components_ == 1
    assert rivals.PCAErrors().fit(round_cloud[:, :1]).pca_.n_components_ == 1


def test_a_training_row_is_not_its_own_neighbour(rows):
    new, own = (
        rivals.NeighborDistance(scores_training_rows=flag).fit(rows)
        for flag in (False, True)
    )
    distances = np.sort(np.linalg.norm(rows[:, None] - rows[None], axis=2), axis=1)
    for detector, first in ((new, 0), (own, 1)):
        expected = distances[:, first : first + 5].mean(axis=1)
        np.testing.assert_allclose(-detector.score_samples(rows), expected, atol=1e-6)
    few = rivals.NeighborDistance(scores_training_rows=True).fit(rows[:3])
    assert np.isfinite(few.score_samples(rows[:3])).all()


def test_the_factor_of_training_rows_is_theirs(rows):
    detector = rivals.TrainingLOF().fit(rows)
    expected = LocalOutlierFactor().fit(rows).negative_outlier_factor_
    np.testing.assert_array_equal(detector.score_samples(rows), expected)
    with pytest.raises(ValueError, match="scores the rows that it was trained on"):
        detector.score_samples(rows[:3])


def test_flags_follow_the_training_errors(rows):
    detector = rivals.PCAErrors().fit(rows)
    assert (detector.predict(rows) == -1).mean() == pytest.approx(rivals.FLAGGED)

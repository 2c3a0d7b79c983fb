"""``python -m skae``: whole runs on small tables, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skae
from skae.__main__ import main
from skae._cli._run import QUALITIES, TIMES
from skae._cli._search import RULES
from skae._cli._table import generate_heartbeats
from skae.datasets import make_heartbeats
from skae.model_selection._compare import outlier_qualities

FIGURES = ("loss_curve.png", "error_histogram.png", "reconstructions.png")
PNG = b"\x89PNG\r\n\x1a\n"
METHODS = ["autoencoder", "PCA reconstruction", "IsolationForest"]
ECG = ("--no-header", "--label-column", "-1", "--outlier-label", "0")


def write_ecg(path, X, y):
    """Write rows as the tutorials' file has them: no header, label 1.0 or 0.0 last."""
    np.savetxt(path, np.column_stack([X, y]), delimiter=",")
    return path


@pytest.fixture(scope="module")
def ecg(tmp_path_factory):
    """Return the path of a file like the tutorials', and its outliers."""
    X, y = make_heartbeats(240, n_timesteps=6, random_state=0)
    path = tmp_path_factory.mktemp("data") / "ecg.csv"
    return write_ecg(path, X, y == 1), int((y == -1).sum())


@pytest.fixture(scope="module")
def labelled(ecg, tmp_path_factory, run):
    return run(tmp_path_factory.mktemp("labelled"), ecg[0], *ECG)


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory, run):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=["mass", "length", "class"])
    table["mass"] *= 1000
    table["width"], table["class"] = table["class"], [0, 1] * 20
    table.loc[7, "length"] = 50.0
    path = tmp_path_factory.mktemp("data") / "plain.csv"
    table.to_csv(path, index=False)
    folder = tmp_path_factory.mktemp("unlabelled") / "new" / "folder"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text("of an earlier run on other rows")
    return run(folder, path)


def assert_figures(done):
    for name in FIGURES:
        assert (done.folder / name).read_bytes().startswith(PNG)
        assert name in done.out


def test_the_tutorials_file_is_understood(labelled, ecg):
    assert labelled.code == 0
    assert labelled.out.startswith("ecg.csv: 240 rows, 6 columns\n  number ")
    assert f"the rows with 0 in column 'x6'; {ecg[1]} of 240" in labelled.words
    assert "rarer" not in labelled.out
    assert_figures(labelled)


def test_the_table_holds_every_method_and_every_column(labelled):
    lines = labelled.out.splitlines()
    assert max(map(len, lines)) <= 100
    header = next(i for i, line in enumerate(lines) if "ROC AUC" in line)
    for title in (QUALITIES | TIMES).values():
        assert title in lines[header]
    for line, method in zip(lines[header + 1 : header + 4], METHODS, strict=True):
        assert line.startswith(method)
    table = pd.read_csv(labelled.folder / "table.csv", index_col="method")
    assert list(table.index) == METHODS
    assert list(table) == [*QUALITIES, *TIMES]
    assert table[list(QUALITIES)].stack().between(0, 1).all()
    assert (table[list(TIMES)] > 0).all(axis=None)


def test_the_written_scores_are_those_of_the_table(labelled):
    table = pd.read_csv(labelled.folder / "table.csv", index_col="method")
    scores = pd.read_csv(labelled.folder / "scores.csv")
    again = outlier_qualities(scores["label"], scores["score"], scores["flag"])
    for quality in QUALITIES:
        assert table.loc["autoencoder", quality] == pytest.approx(again[quality])


def test_the_written_rows_are_those_of_the_file(labelled, ecg):
    scores = pd.read_csv(labelled.folder / "scores.csv")
    cells = np.loadtxt(ecg[0], delimiter=",")
    assert len(scores) == 72
    assert scores["row"].is_unique
    np.testing.assert_array_equal(cells[scores["row"], -1], scores["label"] == 1)
    place = scores["feature"].str.removeprefix("x").astype(int)
    np.testing.assert_allclose(cells[scores["row"], place], scores["value"])
    assert scores["share"].between(1 / 6, 1).all()
    assert set(scores["flag"]) <= {1, -1}


def test_the_results_tell_every_candidate(labelled):
    results = json.loads((labelled.folder / "results.json").read_text())
    assert results["data"] == "ecg.csv"
    assert results["n_rows"] == 240
    assert list(results["searches"]) == METHODS
    sizes = {len(one["candidates"]) for one in results["searches"].values()}
    assert sizes == {2 * len(RULES)}
    for one in results["searches"].values():
        best = max(candidate["mean_score"] for candidate in one["candidates"])
        assert one["mean_score"] == best
        assert one["search_seconds"] > 0


def test_progress_goes_to_the_standard_error_alone(labelled):
    for method in METHODS:
        assert f"{method}: 100%" in labelled.err
        assert "6/6" in labelled.err
    assert "%|" not in labelled.out


def test_a_table_without_labels_is_scored_and_flagged(unlabelled):
    assert unlabelled.code == 0
    assert "No labels" in unlabelled.out
    assert "ROC AUC" not in unlabelled.out
    assert not (unlabelled.folder / "table.csv").exists()
    scores = pd.read_csv(unlabelled.folder / "scores.csv")
    assert list(scores["row"]) == list(range(40))
    assert "label" not in scores
    n_flagged = (scores["flag"] == -1).sum()
    assert f"{n_flagged} of 40 rows" in unlabelled.out
    assert scores["score"].idxmin() == 7
    assert scores.loc[7, "feature"] == "length"
    assert scores.loc[7, "value"] == pytest.approx(50)
    assert scores.loc[scores["flag"] == -1, "score"].max() < (
        scores.loc[scores["flag"] == 1, "score"].min()
    )
    assert_figures(unlabelled)


def test_a_column_that_may_hold_labels_is_hinted_at(unlabelled):
    assert "carried through    1  class (may hold labels (0: 20, 1: 20))" in (
        unlabelled.out
    )
    assert "Note: Does column 'class' hold labels (0: 20, 1: 20)? Then pass" in (
        unlabelled.words
    )


def test_the_width_is_searched_without_labels(unlabelled):
    results = json.loads((unlabelled.folder / "results.json").read_text())
    (search,) = results["searches"].values()
    assert [one["latent_dim"] for one in search["candidates"]] == [1, 2]
    assert results["n_outliers"] is None


def test_real_heartbeats(data_folder, tmp_path, run):
    with np.load(data_folder / "ecg5000.npz", allow_pickle=False) as file:
        X, y = file["X"][::20], file["y"][::20]
    path = write_ecg(tmp_path / "ecg.csv", X, y)
    done = run(tmp_path / "results", path, *ECG)
    assert done.code == 0
    assert f"with 0 in column 'x140'; {np.sum(y == 0)} of {len(y)}" in done.words
    table = pd.read_csv(done.folder / "table.csv", index_col="method")
    assert (table["roc_auc"] > 0.8).all()


def test_without_a_file_the_table_is_generated_heartbeats():
    table = generate_heartbeats(seed=3)
    X, y = make_heartbeats(random_state=3)
    assert table.name == "heartbeats (generated)"
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)


def test_the_smallest_labelled_table(tmp_path, run):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(11, 2)), columns=["a", "b"])
    table["kind"] = ["bad"] * 4 + ["good"] * 7
    table.to_csv(tmp_path / "small.csv", index=False)
    done = run(tmp_path, tmp_path / "small.csv", "--label-column", "kind")
    assert done.code == 0
    assert "which is the rarer of two labels" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (None, [], "does not exist"),
        ("", [], "is empty"),
        ("a,b\n" + "1,2\n" * 20, ["--label-column", "c"], "'c' is no column"),
        ("a,b\n" + "1,2\n" * 20, ["--label-column", "b"], "only one label, 2"),
        ("a,b\n" + "1,2\n" * 20, ["--drop", "5"], "--drop '5' is no column"),
        (
            "a,b\n" + "1,2\n2,1\n" * 20,
            ["--label-column", "b", "--outlier-label", "3"],
            "--outlier-label '3' is no label",
        ),
    ],
)
def test_bad_input_gets_one_line_and_code_2(tmp_path, run, content, arguments, words):
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_text(content)
    done = run(tmp_path / "results", path, *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("skae: error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert not done.folder.exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, run):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n" + "1,2\n2,1\n" * 20)
    done = run(path, path)
    assert done.code == 2
    assert done.err.startswith(
        f"skae: error: --output '{path}' cannot be made a folder of results"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--label-column", "a"],
            "--label-column describes a file: pass its path, too",
        ),
        (["--no-header"], "--no-header describes a file"),
        (["--drop", "a"], "--drop describes a file"),
        (["f.csv", "--outlier-label", "1"], "--outlier-label needs --label-column"),
        (["--seed", "-1"], "'-1' is not a whole number from 0 to 4294967295"),
        (["--n-jobs", "0"], "'0' is not 1 or more, or -1"),
        (["--epochs", "some"], "'some' is not 1 or more, or 'auto'"),
        (["--colour"], "unrecognized arguments"),
    ],
)
def test_bad_arguments_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_help_and_version(capsys):
    for option, words in (
        ("--help", "--outlier-label"),
        ("--version", skae.__version__),
    ):
        with pytest.raises(SystemExit) as stop:
            main([option])
        assert stop.value.code == 0
        assert words in capsys.readouterr().out


def test_a_stop_by_the_user_is_one_line_and_code_130(monkeypatch, capsys):
    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd, "read_csv", stopped)
    assert main([__file__]) == 130
    assert capsys.readouterr().err == "\nskae: stopped\n"


def run_process(*arguments, start=("-m", "skae")):
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(skae.__file__).parents[1],
        check=False,
        timeout=300,
    )


def test_a_process_without_tensorflow_says_nothing_but_report_and_progress(
    ecg, labelled, tmp_path
):
    code = """
import sys
from skae.__main__ import main
code = main(sys.argv[1:])
sys.exit(code or 3 * ("tensorflow" in sys.modules))
"""
    arguments = (*ECG, "--epochs", "2", "--n-jobs", "2", "--output", tmp_path)
    done = run_process(ecg[0], *arguments, start=("-c", code))
    assert done.returncode == 0
    scores = [pd.read_csv(f / "scores.csv") for f in (tmp_path, labelled.folder)]
    pd.testing.assert_frame_equal(*scores)
    lines = [line.strip() for line in done.stderr.replace("\r", "\n").split("\n")]
    assert {line.partition(":")[0] for line in lines if line} == set(METHODS)


def test_a_process_on_a_bad_file_ends_with_code_2(tmp_path):
    done = run_process(tmp_path / "none.csv")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("skae: error: ")
    assert done.stderr.count("\n") == 1

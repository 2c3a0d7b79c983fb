"""What is written: all or nothing, and safe to open; a model that scores elsewhere."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skae
from skae._cli._report import without_formula, write_csv


@pytest.fixture
def path(frame, tmp_path):
    """Return a file with a hostile header, an id, a date and text."""
    times = pd.date_range("2024-01-01", periods=40, freq="D").strftime("%Y-%m-%d")
    frame.columns = ["$x_{$", "=b", "<b>c"]
    table = frame.assign(when=times, who=[f"=cmd|{i}" for i in range(40)])
    table["kind"] = ["-u", "v"] * 20
    table["row"] = "r"
    table.to_csv(tmp_path / "data.csv", index=False)
    return tmp_path / "data.csv"


def test_the_report_is_one_page_without_markup_from_the_file(path, tmp_path, run):
    done = run(tmp_path / "out", path)
    assert done.code == 0
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 3
    assert not re.search(r'(src|href)="(?!#|data:|https://scikit-learn)', page)
    assert "<b>c" not in page
    assert "&lt;b&gt;c" in page
    for words in ("when", "rows are in its order", "ReconstructionOutlierDetector"):
        assert words in page
    results = json.loads((done.folder / "results.json").read_text())
    uses = {one["name"]: one["use"] for one in results["columns"]}
    assert uses["kind"] == "one-hot"
    assert uses["who"] == "left out"


def test_ids_and_times_are_carried_and_no_text_is_a_formula(path, tmp_path, run):
    done = run(tmp_path / "out", path, "--id", "who,row")
    scores = pd.read_csv(done.folder / "scores.csv")
    assert list(scores["who"]) == [f"'=cmd|{i}" for i in range(40)]
    assert scores["when"].iloc[0] == "2024-01-01"
    assert set(scores["row (file)"]) == {"r"}
    assert set(scores["feature"]) <= {"$x_{$", "'=b", "<b>c", "kind_-u", "kind_v"}


@pytest.mark.parametrize("cell", ["=1+1", "+a", "-a", "@x", "\tx"])
def test_formulas_are_escaped(cell, tmp_path):
    assert without_formula(cell) == f"'{cell}"
    table = pd.DataFrame({cell: [cell], "n": [-1.5]}, index=[0])
    write_csv(table, tmp_path / "x.csv", index=False)
    read = pd.read_csv(tmp_path / "x.csv")
    assert read.columns[0].startswith("'")
    assert read["n"][0] == -1.5
    assert without_formula("a\rb") == "a b"


@pytest.mark.parametrize("cell", ["-1.5", "+3", "a=b", "", 5, None, "-inf"])
def test_numbers_and_other_text_stay(cell):
    assert without_formula(cell) == cell


def test_a_folder_that_cannot_be_written_is_noticed_before_the_work(
    path, tmp_path, run
):
    (tmp_path / "out" / "scores.csv").mkdir(parents=True)
    done = run(tmp_path / "out", path)
    assert done.code == 2
    assert "scores.csv cannot be written there. Pass another one." in done.err
    assert done.out == ""
    assert [one.name for one in done.folder.iterdir()] == ["scores.csv"]


def test_work_that_fails_leaves_nothing(path, tmp_path, run, monkeypatch):
    monkeypatch.setattr(json, "dumps", lambda *a, **b: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "out", path)
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_be_saved_is_noticed_before_the_work(path, tmp_path, run):
    if not has_skops():
        done = run(tmp_path / "out", path, "--save", tmp_path / "m.skops")
        assert "Saved models need the package skops. Run pip install" in done.err
        return
    for name, words in (
        ("m.pkl", "must end in .skops"),
        ("no/m.skops", "cannot be wr"),
    ):
        done = run(tmp_path / "out", path, "--save", tmp_path / name)
        assert done.code == 2
        assert words in done.err


def has_skops():
    try:
        import skops.io  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.skipif(not has_skops(), reason="skops is not installed")
def test_a_saved_model_scores_other_rows_as_it_scored_its_own(path, tmp_path, run):
    model = tmp_path / "m.skops"
    done = run(tmp_path / "out", path, "--save", model, "--id", "who")
    assert done.code == 0
    again = run(tmp_path / "again", "score", model, path)
    assert again.code == 0, again.err
    own, other = (pd.read_csv(one.folder / "scores.csv") for one in (done, again))
    pd.testing.assert_frame_equal(own, other)
    new = pd.read_csv(path).tail(5).drop(columns="row")
    new.loc[new.index[0], ["kind", "=b"]] = ["w", np.nan]
    new.to_csv(tmp_path / "new.csv", index=False)
    again = run(tmp_path / "again", "score", model, tmp_path / "new.csv")
    assert again.code == 0, again.err
    assert "Column 'kind' has values that did not train: ['w']" in again.words
    scores = pd.read_csv(again.folder / "scores.csv")
    np.testing.assert_allclose(scores["score"][1:], own["score"].tail(4))
    new.drop(columns=["$x_{$", "kind"]).to_csv(tmp_path / "new.csv", index=False)
    again = run(tmp_path / "again", "score", model, tmp_path / "new.csv")
    assert again.code == 2
    assert "lacks 2 of the model's columns: '$x_{$', 'kind'" in again.err


@pytest.mark.skipif(not has_skops(), reason="skops is not installed")
def test_a_file_that_is_no_model_is_refused(path, tmp_path, run):
    for content in (b"", b"PK\x03\x04" + b"x" * 99, path.read_bytes()):
        (tmp_path / "m.skops").write_bytes(content)
        done = run(tmp_path / "out", "score", tmp_path / "m.skops", path)
        assert done.code == 2
        assert "is not a model that --save has written" in done.err


def start(*arguments, **how):
    environment = {**os.environ, "PYTHONPATH": str(Path(skae.__file__).parents[1])}
    command = [sys.executable, "-m", "skae", *map(str, arguments)]
    environment |= how.pop("env", {})
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment, **how)


def test_an_ascii_terminal_and_control_characters(tmp_path, capfd):
    text = "a\x1b[31m,日本,x\u202e\n" + "1,2,3\n2,1,4\n" * 10
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    how = ("--epochs", 1, "--output", tmp_path / "out")
    run = start(tmp_path / "x.csv", *how, env={"PYTHONIOENCODING": "ascii"})
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert b"\x1b" not in out + err
    assert b"a\\x1b[31m, \\u65e5\\u672c, x\\u202e" in out
    assert b"Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")
def test_sigterm_and_a_closed_pipe_leave_neither_traces_nor_halves(tmp_path, path):
    out = tmp_path / "out"
    runs = [start(path, "--output", out / name) for name in ("term", "pipe")]
    runs[1].stdout.close()
    for _ in range(3000):  # until it works
        if (out / "term").exists() and any((out / "term").iterdir()):
            break
        time.sleep(0.02)
    runs[0].send_signal(signal.SIGTERM)
    codes = [run.wait(timeout=300) for run in runs]
    assert codes == [128 + signal.SIGTERM, 128 + signal.SIGPIPE]
    for run in runs:
        assert b"Traceback" not in run.stderr.read()
        run.stderr.close()
        run.stdout.close()
    assert not list(out.iterdir())

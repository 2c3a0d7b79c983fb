"""The benchmark scripts run, and their committed results and pages are true."""

import importlib
import json
import os
import statistics
import subprocess
import sys

import pytest
import report
import trace_fit
from harness import jobs
from harness.machine import FOLDER

SCRIPTS = {name: importlib.import_module(name) for name in report.SCRIPTS}
RIVALS = pytest.mark.draws_globally("rivals seed, and draw from, the global state")
WITH_RIVALS = {"speed", "detection"}
ALL_JOBS = [
    pytest.param(name, job, marks=RIVALS if name in WITH_RIVALS else ())
    for name, script in SCRIPTS.items()
    for job in script.JOBS
]
WITHOUT_DATA = {"digits-code", "digits-denoise", "missing-filled", "codes", "noise"}
WITHOUT_DATA |= {"import", "modes", "many-fits", "curves"}
# Jobs that compare and take the outcome as it is.
CHOICES = {"choices", "choices-contaminated"}
WITHOUT_BARS = {"mnist-latent-map", *CHOICES, "codes-as-images", "ecg-lstm", "modes"}
WITHOUT_BARS |= {"score-in-keras", "score-in-onnx", "curves"}
OVER_TABLES = {"normals", "contaminated", *CHOICES}
WITH_PICTURE = {*SCRIPTS["tutorials"].JOBS, "curves", "images", "series", *OVER_TABLES}
MAX_PICTURE_BYTES = 150_000
MAX_PAGE_LINES = 300
# Jobs that measure more than their committed results, which are still to be replaced.
CHANGED = {"modes", "grid-search"}
# Jobs that were not run since the default that they vary was chosen: they take hours.
NOT_RUN = {*CHOICES}

# Bars that do not depend on time or training, and how many verdicts they give.
SURE = {
    "of TensorFlow, Keras imported",
    "largest relative difference from Model.predict's scores",
}
SURE_VERDICTS = {("timings", "import"): 2, ("timings", "score"): 1}


@pytest.mark.parametrize(("script", "job"), ALL_JOBS)
def test_every_job_runs(script, job, monkeypatch, request):
    if job not in WITHOUT_DATA:
        folder = request.getfixturevalue("data_folder")
        if job in OVER_TABLES and not (folder / "adbench").is_dir():
            pytest.skip(f"no tables: {folder} has no folder adbench")
        monkeypatch.setenv("SKAE_DATA", str(folder))
    result = SCRIPTS[script].JOBS.run(job, jobs.QUICK)
    record = result.record
    found = record["measurements"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert len({(one["quantity"], one["contender"]) for one in found}) == len(found)
    assert any(one["bar"] for one in found) == (job not in WITHOUT_BARS)
    assert (result.figure is not None) == (job in WITH_PICTURE)
    assert len({one["contender"] for one in found}) >= 2
    sure = [one["met"] for one in found if one["quantity"] in SURE]
    assert sure == [True] * SURE_VERDICTS.get((script, job), 0)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_a_command(script):
    done = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py", "--help"],
        env={**os.environ, "COLUMNS": "1000"},  # names with hyphens are not cut
        capture_output=True,
        text=True,
        check=True,
    )
    words = " ".join(done.stdout.split())
    assert f"one of {', '.join(SCRIPTS[script].JOBS)}" in words


def test_trace_counts_files_functions_and_changes():
    traced = trace_fit.trace("harness", jobs.Bar(">", 1).is_met, [0.0, 2.0])
    assert [code.co_qualname for code in traced.functions] == ["Bar.is_met"]
    assert traced.counts() == (1, 1, 0, 0)
    first, second = traced.functions[0], trace_fit.main.__code__
    back = [first, second, jobs.Bar.__str__.__code__]
    made = trace_fit.Trace(FOLDER, back)
    assert made.files == ["harness/jobs.py", "trace_fit.py", "harness/jobs.py"]
    assert made.counts() == (2, 3, 2, 1)


# ------------------------------------------------------------- committed results


@pytest.mark.parametrize("path", report.pages(), ids=lambda path: path.stem)
def test_pages_are_those_of_the_results(path):
    page = path.read_text("utf-8")
    assert page == report.pages()[path]
    assert len(page.splitlines()) < MAX_PAGE_LINES


@pytest.mark.parametrize("script", SCRIPTS)
def test_committed_results_are_whole_runs_of_jobs(script):
    records = report.read(script)
    assert {record["job"] for record in records} == {*SCRIPTS[script].JOBS} - NOT_RUN
    for record in records:
        assert not record["is_quick"]
        about = SCRIPTS[script].JOBS[record["job"]].about
        assert (record["about"] != about) == (record["job"] in CHANGED)
        for one in record["measurements"]:
            assert one["median"] == statistics.median(one["values"])


def test_committed_pictures_are_small_and_belong_to_a_result():
    drawn = {path: path.stat().st_size for path in jobs.RESULTS.rglob("*.png")}
    run = [record for script in SCRIPTS for record in report.read(script)]
    named = {record.get("picture") for record in run} - {None}
    assert {path.name for path in drawn} == named
    assert max(drawn.values()) <= MAX_PICTURE_BYTES

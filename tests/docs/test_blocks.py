"""What the pages show: their code runs, their commands and links exist.

A Python block that begins with an import starts anew, but in a lesson; any other one
goes on where the block before it ended. A bare expression that is True or False has to
be True.
"""

import ast
import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import skae
from skae.__main__ import parse_arguments

ROOT = Path(skae.__file__).parents[1]
# What blocks may import, and most installations lack: `skae[onnx]` and `skae[clients]`.
EXTRAS = {"skl2onnx", "onnxruntime", "imblearn", "mapie", "mlflow", "optuna", "polars"}
EXTRAS |= {"pyarrow", "shap", "skops"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
PAGES = [page for page in PAGES if "_build" not in page.parts]
SITE = "https://github.com/skae-developers/skae/blob/main/"
RAW = "https://raw.githubusercontent.com/skae-developers/skae/main/"
# Sections that take more than three seconds, TensorFlow's start counted.
SLOW = {
    "Comparing detectors",
    "Keras",
    "Searching",
    "Your own Keras model",
    "Optuna",
    "SHAP",
}
# What other packages do in a section: their warnings, and what they draw.
MARKS = {
    "MAPIE": [pytest.mark.draws_globally("MAPIE draws permutations")],
    "MLflow": [pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")],
}
PROJECT = (ROOT / "pyproject.toml").is_file() and tomllib.loads(
    (ROOT / "pyproject.toml").read_text("utf-8")
)["project"]
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="not a checkout: the pages are not installed"
)


# Pages whose blocks all go on in each other.
LESSONS = {"start"}


def blocks(page, language):
    """Yield (line, heading above, code) of each block of a page in a language."""
    heading = None
    pattern = r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$"
    text = page.read_text()
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if match["heading"]:
            heading = match["heading"]
        elif match["language"] == language:
            yield text.count("\n", 0, match.start("code")) + 1, heading, match["code"]


def sessions():
    """Yield one test per run of blocks that go on in each other."""
    for page in PAGES:
        runs = []
        for line, heading, code in blocks(page, "python"):
            goes_on = not code.startswith(("import ", "from ")) or page.stem in LESSONS
            if runs and goes_on:
                runs[-1][1].append((line, code))
            else:
                runs.append((heading, [(line, code)]))
        for number, (heading, run) in enumerate(runs, start=1):
            name = re.sub(r"\W+", "-", heading.lower())
            marks = [pytest.mark.slow] if heading in SLOW else []
            marks += MARKS.get(heading, [])
            yield pytest.param(
                page, run, id=f"{page.stem}-{number}-{name}", marks=marks
            )


def run_block(page, line, code, namespace):
    """Run a block as code of its page, so that tracebacks show the page's lines."""
    for statement in ast.parse(code).body:
        ast.increment_lineno(statement, line - 1)
        if isinstance(statement, ast.Expr):
            tree = ast.Expression(statement.value)
            value = eval(compile(tree, page, "eval"), namespace)
            if isinstance(value, bool | np.bool | np.ndarray):
                assert np.all(value), f"{page.name}:{statement.lineno} does not hold"
        else:
            exec(compile(ast.Module([statement], []), page, "exec"), namespace)


def imported(run):
    """Return the packages that blocks import."""
    nodes = [node for _, code in run for node in ast.walk(ast.parse(code))]
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(("page", "run"), list(sessions()))
def test_python_blocks_run(page, run, tmp_path, monkeypatch, capfd):
    """In a folder of their own; they print what their text prints, and no more."""
    for package in sorted(imported(run) & EXTRAS):
        pytest.importorskip(package, reason=f"{package} is in an extra of skae")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    printed = io.StringIO()
    with matplotlib.rc_context(), contextlib.redirect_stdout(printed):
        for line, code in run:
            run_block(page, line, code, namespace)
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")
    asks = any("print(" in code for _, code in run)
    assert bool(printed.getvalue()) == asks


def test_every_block_is_found_and_a_false_claim_fails(tmp_path):
    texts = [page.read_text() for page in PAGES]
    n_runs = [len(session.values[1]) for session in sessions()]
    assert sum(n_runs) == sum(text.count("```python\n") for text in texts) > 10
    page = tmp_path / "page.md"
    run_block(page, 1, "a = 3\na == 3\n", {})
    with pytest.raises(AssertionError, match=r"page\.md:2 does not hold"):
        run_block(page, 1, "a = 3\na == 4\n", {})


def commands():
    for page in PAGES:
        for line, _, code in blocks(page, "sh"):
            for number, command in enumerate(code.splitlines(), start=line):
                yield pytest.param(command, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("command", list(commands()))
def test_commands_exist(command):
    """Programs are files of this repository, and take the options that are shown."""
    words = shlex.split(command, comments=True)
    if words[:2] == ["pip", "install"]:
        extras = re.findall(r"\[(\w+)\]", command)
        assert words[2].startswith("skae")
        assert set(extras) <= PROJECT["optional-dependencies"].keys()
        return
    if words == ["skae", "--version"]:
        assert PROJECT["scripts"]["skae"] == "skae.__main__:main"
        return
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
        return
    assert re.search(r"\bpython$", words[0]), "not a command that the test knows"
    if words[1:3] == ["-m", "skae"]:
        parse_arguments(words[3:])  # exits where an option does not exist
    else:
        assert (ROOT / words[1]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    text = page.read_text()
    if "```{include}" in text:
        return  # its links are those of the page it includes
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        if name.startswith((SITE, RAW)):
            file = ROOT / name.removeprefix(SITE).removeprefix(RAW)
        elif re.match(r"https?:", name):
            continue
        else:
            assert page.parent != ROOT, f"{page.name}: {target} is not absolute"
            file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
            anchors = [
                re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles
            ]
            assert anchor in anchors, f"{page.name} links to {target}"

"""The command, called in this process."""

import contextlib
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skae.__main__ import main, parse_arguments
from skae._cli._run import load


@pytest.fixture(scope="session")
def run():
    """Run the command with few epochs, and return all that came of it."""

    def run(folder, *arguments):
        out, err = io.StringIO(), io.StringIO()
        arguments = [*map(str, arguments), "--output", str(folder)]
        if arguments[0] != "score":
            arguments += ["--epochs", "2"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
        result = {"code": code, "out": out.getvalue(), "err": err.getvalue()}
        result["words"] = " ".join(result["out"].split())
        return SimpleNamespace(**result, folder=Path(folder))

    return run


@pytest.fixture(scope="session")
def load_file():
    """Read a file, without a search; uses are {use: names of columns}."""

    def load_file(path, *arguments):
        table = load(parse_arguments([str(path), *map(str, arguments)]))
        uses = {}
        for column in table.columns:
            uses.setdefault(column.use, []).append(column.name)
        return table, uses

    return load_file


@pytest.fixture
def frame():
    """Return a table of 40 rows near a plane: columns a, b, c."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 3)) + rng.normal(size=(40, 3))
    return pd.DataFrame(X.round(3), columns=list("abc"))

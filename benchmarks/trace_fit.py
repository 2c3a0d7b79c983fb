"""How far has one to read to follow a call: files, functions, changes of file.

What is counted is a second call in the same process, so that imports are done, and
only functions of the package that are entered in the calling thread. ``files`` are
those with at least one of these functions. ``functions`` are distinct code objects;
lambdas, comprehensions and generator expressions are left out. ``changes`` are
counted along the functions in the order in which they were first entered, as one
would read them: a function that stands in another file than the one before it is a
change. ``back`` are the changes into a file that had been read before. Making the
estimator is not counted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from skae import ReconstructionOutlierDetector

if TYPE_CHECKING:
    from collections.abc import Callable

N_ROWS, N_COLUMNS = 300, 25


@dataclass(frozen=True)
class Trace:
    """The functions of a package that a call entered, in the order of first entry."""

    folder: Path
    functions: list[CodeType]

    @property
    def files(self) -> list[str]:
        """The files of the functions, one for each function."""
        return [
            str(Path(code.co_filename).relative_to(self.folder))
            for code in self.functions
        ]

    def counts(self) -> tuple[int, int, int, int]:
        """Return files, functions, changes of file, and changes back."""
        files, seen = self.files, set()
        changes = back = 0
        for i, file in enumerate(files):
            if i and file != files[i - 1]:
                changes += 1
                back += file in seen
            seen.add(file)
        return len(seen), len(files), changes, back


def trace(package: str, call: Callable, *args: Any) -> Trace:
    """Return the Trace of a call."""
    folder = Path(importlib.import_module(package).__file__).parent
    prefix = f"{folder}/"
    # A dict as an ordered set.
    entered = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if (
            event == "call"
            and code.co_filename.startswith(prefix)
            and not code.co_name.startswith("<")
        ):
            entered.setdefault(code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call(*args)
    finally:
        sys.setprofile(before)
    return Trace(folder, list(entered))


def trace_detector() -> dict[str, Trace]:
    """Return the traces of a default detector: ``fit``, and one row's score."""
    X = np.random.default_rng(0).normal(size=(N_ROWS, N_COLUMNS))
    ReconstructionOutlierDetector().fit(X).score_samples(X[:1])
    detector = ReconstructionOutlierDetector()
    return {
        "detector.fit(X)": trace("skae", detector.fit, X),
        "detector.score_samples(row)": trace("skae", detector.score_samples, X[:1]),
    }


def trace_mlp() -> dict[str, Trace]:
    """Return the trace of scikit-learn's own network, to compare with."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    X = np.random.default_rng(0).normal(size=(N_ROWS, N_COLUMNS))
    y = X[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPRegressor().fit(X, y)
        return {"MLPRegressor.fit(X, y)": trace("sklearn", MLPRegressor().fit, X, y)}


def main(argv: list[str] | None = None) -> None:
    """Print the counts, or the functions in the order of their first entry."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--mlp", action="store_true", help="count MLPRegressor.fit, too"
    )
    parser.add_argument(
        "--list", action="store_true", help="list the functions in order, too"
    )
    args = parser.parse_args(argv)
    traces = trace_detector() | (trace_mlp() if args.mlp else {})
    if args.list:
        for name, one in traces.items():
            print(f"{name}:")
            for file, code in zip(one.files, one.functions, strict=True):
                print(f"  {file}:{code.co_firstlineno} {code.co_qualname}")
            print()
    print(f"{'call':28} {'files':>6} {'functions':>10} {'changes':>8} {'back':>6}")
    for name, one in traces.items():
        files, functions, changes, back = one.counts()
        print(f"{name:28} {files:6} {functions:10} {changes:8} {back:6}")


if __name__ == "__main__":
    main()

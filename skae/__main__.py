"""``python -m skae``: search an autoencoder on a table and compare it with rivals.

This module has the arguments, and is light, so that ``--help`` and bad arguments answer
at once. The work is in ``_cli``: `_table` reads the rows and their labels, `_search`
has the pipelines and their search, `_run` puts them in order and reports.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
from typing import TYPE_CHECKING, Any

from skae import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DESCRIPTION = """\
Search a ReconstructionOutlierDetector on a table of numbers, and save figures.

Without a file, heartbeats are generated. With labels, part of the rows is kept for a
test and the autoencoder is compared with PCA reconstruction error and IsolationForest,
which are searched in the same way. Without labels, all rows are scored, flagged and
ranked.
"""
EPILOG = """\
examples:
  python -m skae
  python -m skae data.csv
  python -m skae data.csv --label-column class --outlier-label fraud
  python -m skae ecg.csv --no-header --label-column -1 --outlier-label 0
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do the work and return the exit code of the process.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    code : int
        0, or 2 where the input cannot be used, or 130 where the user stopped it.
    """
    options = parse_arguments(argv)
    try:
        # Now, so that --help and bad arguments answer at once.
        try:
            from skae._cli import _run
        except ModuleNotFoundError as exc:
            advice = f"is not installed. Install it: pip install {exc.name}"
            print(f"skae: error: the package {exc.name} {advice}", file=sys.stderr)
            return 2
        try:
            _run.run(_run.load(options), functools.partial(print, flush=True), options)
        except _run.InputError as exc:
            print(f"skae: error: {exc}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nskae: stopped", file=sys.stderr)
        return 130
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, or exit with a message; None takes those of the process."""
    parser = argparse.ArgumentParser("skae", description=DESCRIPTION, epilog=EPILOG)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "file",
        nargs="?",
        metavar="data.csv",
        help="a CSV file whose columns hold numbers, separated by commas, semicolons "
        "or tabs; generated heartbeats if left out",
    )
    add = parser.add_argument_group("the file").add_argument
    add(
        "--label-column",
        metavar="NAME_OR_POSITION",
        help="column of the labels: its name, or its position from 0 (-1 is the last); "
        "none if left out",
    )
    add(
        "--outlier-label",
        metavar="VALUE",
        help="label of the outliers, all other rows are normal; if left out, the rarer "
        "of two labels",
    )
    add(
        "--no-header",
        action="store_true",
        help="the first row holds data, not names; columns are then called x0, x1, ...",
    )
    add(
        "--drop",
        metavar="NAME_OR_POSITION",
        action="append",
        default=[],
        help="leave a column out; may be given several times",
    )
    add = parser.add_argument_group("the work").add_argument
    add(
        "--output",
        metavar="DIR",
        default="skae-results",
        help="folder of the tables and figures (default: %(default)s)",
    )
    add(
        "--seed",
        type=_integer("a whole number from 0 to 4294967295", 0, 2**32 - 1),
        default=0,
        help="seed of the split, the folds and the networks (default: %(default)s)",
    )
    add(
        "--n-jobs",
        metavar="N",
        type=_integer("1 or more, or -1", 1, other=-1),
        default=1,
        help="processes of the search, -1 for all processors (default: %(default)s)",
    )
    add(
        "--epochs",
        metavar="N",
        type=_integer("1 or more, or 'auto'", 1, other="auto"),
        default="auto",
        help="passes of each training at most (default: %(default)s)",
    )
    parser.add_argument("--version", action="version", version=f"skae {__version__}")
    options = parser.parse_args(arguments)
    for name in ("label_column", "outlier_label", "no_header", "drop"):
        if options.file is None and getattr(options, name):
            option = f"--{name.replace('_', '-')}"
            parser.error(f"{option} describes a file: pass its path, too")
    if options.outlier_label is not None and options.label_column is None:
        parser.error("--outlier-label needs --label-column: pass both")
    return options


def _integer(
    expected: str, low: int, high: float = math.inf, other: int | str | None = None
) -> Callable[[str], Any]:
    """Return a function from text to an integer within limits, or to `other`."""

    def convert(text: str) -> Any:
        if text == str(other):
            return other
        try:
            value: float = int(text)
        except ValueError:
            value = -math.inf
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
        return value

    return convert


if __name__ == "__main__":
    sys.exit(main())

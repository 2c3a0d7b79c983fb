"""``python -m skae``: search an autoencoder on a table and compare it with rivals.

This module has the arguments, and is light, so that ``--help`` and bad arguments answer
at once. The work is in ``_cli``: `_read` reads a file, `_columns` and `_table` find a
use for its columns, `_search` has the pipelines and their search, `_run` puts them in
order, `_report` writes.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from skae import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DESCRIPTION = """\
Search a ReconstructionOutlierDetector on a file of rows, and save tables, figures and a
report. A table at the start says what each column is used for.

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
  python -m skae data.csv --drop id,comment --time date --save model.skops
  python -m skae score model.skops new.csv
"""
READING = """
--missing VALUE...   a missing value, besides NA, NaN, null, '?' and blanks
--decimal CHAR       decimal point or comma
--separator CHAR     what stands between cells; 'tab', or 'blank' for any blanks
--encoding NAME      such as utf-16 or latin-1
--comment CHAR       how lines of comments begin
--skip-rows N        lines above the table to leave out
--skip-bad-lines     leave out lines with more cells than others have
--part NAME          file of an archive, sheet of a workbook; the largest if left out
"""
COLUMNS = """
--label-column NAME      holds the labels; none if left out
--outlier-label VALUE...  marks outliers; the rarer of two labels if left out
--normal-label VALUE...  marks normal rows; all others are outliers
--drop A,B...            leave columns out
--keep A,B...            use columns that would be left out or carried through
--categories A,B...      take texts or codes as categories, however many
--id A,B...              carry columns through to scores.csv
--time NAME              sort the rows by it, and test on the latest
--group NAME             keep rows of one value on one side of every split
--window N               judge each row with the N - 1 rows before it
--shuffle                split rows at random, also where they are in time order
"""
OUTPUT = """
--output DIR  folder of the results (default: %(default)s)
"""
WORK = """
--save FILE.skops  keep the chosen pipeline, for python -m skae score
--seed N           of the split, the folds and the networks (default: %(default)s)
--n-jobs N         processes of the search, -1 for all processors (default: 1)
--epochs N         passes of each training at most (default: %(default)s)
"""
# Control characters, and those that turn the direction of writing.
UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Do the work and return the exit code of the process.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    code : int
        0, or 2 where the input cannot be used, or 128 and the signal's number where the
        user or the system stopped it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parse_arguments(arguments)
    try:
        # Now, so that --help and bad arguments answer at once.
        try:
            from skae._cli import _run
        except ModuleNotFoundError as exc:
            advice = f"is not installed. Install it: pip install {exc.name}"
            print(f"skae: error: the package {exc.name} {advice}", file=sys.stderr)
            return 2
        try:
            with _stopped_by_sigterm():
                if options.model is not None:
                    _run.score(_say, options)
                else:
                    _run.run(_run.load(options), _say, options)
        except _run.InputError as exc:
            _say(f"skae: error: {exc}", sys.stderr)
            return 2
    except KeyboardInterrupt as exc:
        _say("\nskae: stopped", sys.stderr)
        return 128 + (exc.args[0] if exc.args else signal.SIGINT)
    except BrokenPipeError:
        # Who reads the output has gone. Python would write the rest of it at its end.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    return 0


def _say(text: str, stream: Any = None) -> None:
    """Print a text as the stream can show it, without what steers a terminal."""
    stream = stream or sys.stdout
    text = UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    print(text, file=stream, flush=True)


@contextlib.contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop the work as Ctrl-C does, so that all is cleaned up."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # others get no signals
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, or exit with a message; None takes those of the process."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    scores = arguments[:1] == ["score"]
    words: dict[str, Any] = {"description": DESCRIPTION, "epilog": EPILOG}
    if scores:
        words = {"description": "Score rows with a model that --save has written."}
    words["formatter_class"] = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("skae score" if scores else "skae", **words)
    parser.set_defaults(model=None)
    if scores:
        parser.add_argument("model", metavar="model.skops", help="the saved model")
    what = "" if scores else "; generated heartbeats if left out"
    words = {"help": f"text, .npy, .npz, .parquet or .xlsx, perhaps packed{what}"}
    parser.add_argument("file", metavar="FILE", nargs=None if scores else "?", **words)
    group = parser.add_argument_group("how the file is read")
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row holds names; seen from the rows if left out",
    )
    of_file = ["header", *_add_options(group, READING)]
    if not scores:
        group = parser.add_argument_group("columns, by name or by position from 0")
        of_file += _add_options(group, COLUMNS)
    group = parser.add_argument_group("the work")
    _add_options(group, OUTPUT if scores else OUTPUT + WORK)
    parser.add_argument("--version", action="version", version=f"skae {__version__}")
    options = parser.parse_args(arguments[scores:])
    for name in of_file:
        if options.file is None and getattr(options, name) != parser.get_default(name):
            no = "no-" if getattr(options, name) is False else ""
            option = f"--{no}{name.replace('_', '-')}"
            parser.error(f"{option} describes a file: pass its path, too")
    for name in () if scores else ("outlier", "normal"):
        if getattr(options, f"{name}_label") and options.label_column is None:
            parser.error(f"--{name}-label needs --label-column: pass both")
    return options


def _add_options(group: Any, lines: str) -> list[str]:
    """Add the options of a text: name, value ("..." if repeated), words; no value."""
    numbers = {
        "--seed": (0, _integer("a whole number from 0 to 4294967295", 0, 2**32 - 1)),
        "--n-jobs": (1, _integer("1 or more, or -1", 1, other=-1)),
        "--epochs": ("auto", _integer("1 or more, or 'auto'", 1, other="auto")),
        "--window": (None, _integer("1 or more", 1)),
        "--skip-rows": (0, _integer("0 or more", 0)),
        "--output": ("skae-results", str),
    }
    names = []
    for line in filter(None, lines.splitlines()):
        ((name, value, words),) = re.findall(r"^(--\S+) ?(\S*)  +(.*)", line)
        how: dict[str, Any] = {"metavar": value}
        how["default"], how["type"] = numbers.get(name, (None, str))
        if value.endswith("..."):
            how |= {"action": "append", "metavar": value[:-3], "default": []}
        elif not value:
            how = {"action": "store_true"}
        names.append(group.add_argument(name, help=words, **how).dest)
    return names


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

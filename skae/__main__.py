"""``python -m skae``: search an autoencoder on a table and compare it with rivals."""

import argparse
import functools
import sys

from skae import __version__

DESCRIPTION = """\
Search a ReconstructionOutlierDetector on a table of numbers, and save figures.

Without a file the table is heartbeats, made on the spot. With labels, part of the rows
is kept for a test and the autoencoder is compared with PCA reconstruction error and
IsolationForest, which are searched alike. Without labels, all rows are scored, flagged
and ranked.
"""
EPILOG = """\
examples:
  python -m skae
  python -m skae data.csv
  python -m skae data.csv --label-column class --outlier-label fraud
  python -m skae ecg.csv --no-header --label-column -1 --outlier-label 0
"""


def build_parser():
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog="skae",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="data.csv",
        help="a CSV file whose columns hold numbers, with commas, semicolons or tabs "
        "between them; heartbeats if left out",
    )
    table = parser.add_argument_group("the file")
    table.add_argument(
        "--label-column",
        metavar="NAME_OR_POSITION",
        help="column of the labels: its name, or its position from 0 (-1 is the last); "
        "none if left out",
    )
    table.add_argument(
        "--outlier-label",
        metavar="VALUE",
        help="label of the outliers, all other rows are normal; if left out, the rarer "
        "of two labels",
    )
    table.add_argument(
        "--no-header",
        action="store_true",
        help="the first row holds data, not names; columns are then called x0, x1, ...",
    )
    table.add_argument(
        "--drop",
        metavar="NAME_OR_POSITION",
        action="append",
        default=[],
        help="leave a column out; may be given several times",
    )
    work = parser.add_argument_group("the work")
    work.add_argument(
        "--output",
        metavar="DIR",
        default="skae-results",
        help="folder of the tables and figures (default: %(default)s)",
    )
    work.add_argument(
        "--seed",
        type=_seed,
        default=0,
        help="seed of the split, the folds and the networks (default: %(default)s)",
    )
    work.add_argument(
        "--n-jobs",
        metavar="N",
        type=_n_jobs,
        default=1,
        help="processes of the search, -1 for all processors (default: %(default)s)",
    )
    work.add_argument(
        "--epochs",
        metavar="N",
        type=_epochs,
        default="auto",
        help="passes of each training at most (default: %(default)s)",
    )
    parser.add_argument("--version", action="version", version=f"skae {__version__}")
    return parser


def main(argv=None):
    """Run the job and return its exit code.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    code : int
        0, or 2 where the input cannot be used, or 130 where the user stopped it.
    """
    parser = build_parser()
    options = parser.parse_args(argv)
    _check_together(parser, options)
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("\nskae: stopped", file=sys.stderr)
        return 130


def _run(options):
    """Load the table and work on it; one line where it cannot be used."""
    # Now, so that --help and bad arguments answer at once.
    from skae import _job

    try:
        if options.file is None:
            data = _job.heartbeats(options.seed)
        else:
            data = _job.load_csv(
                options.file,
                header=not options.no_header,
                drop=options.drop,
                label_column=options.label_column,
                outlier_label=options.outlier_label,
            )
        _job.run(
            data,
            functools.partial(print, flush=True),
            output=options.output,
            seed=options.seed,
            n_jobs=options.n_jobs,
            epochs=options.epochs,
        )
    except _job.InputError as exc:
        print(f"skae: error: {exc}", file=sys.stderr)
        return 2
    return 0


def _check_together(parser, options):
    """Refuse options that say nothing without another one."""
    if options.file is None:
        for name in ("label_column", "outlier_label", "no_header", "drop"):
            if getattr(options, name):
                parser.error(
                    f"--{name.replace('_', '-')} describes a file: pass its path, too"
                )
    if options.outlier_label is not None and options.label_column is None:
        parser.error("--outlier-label needs --label-column: pass both")


def _seed(text):
    """Return a seed that NumPy and scikit-learn take."""
    return _integer(text, 0, 2**32 - 1, "a whole number from 0 to 4294967295")


def _n_jobs(text):
    """Return a number of processes."""
    if text == "-1":
        return -1
    return _integer(text, 1, None, "1 or more, or -1")


def _epochs(text):
    """Return a number of epochs, or "auto"."""
    return text if text == "auto" else _integer(text, 1, None, "1 or more, or 'auto'")


def _integer(text, low, high, wanted):
    """Return a whole number within limits, or raise what argparse shows."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < low or (high is not None and value > high):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


if __name__ == "__main__":
    sys.exit(main())

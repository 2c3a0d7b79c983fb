"""``python -m skae``: search an autoencoder on a table and compare it with rivals."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from skae._cli import parse_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        from skae._cli import _run
        from skae._cli._table import InputError

        try:
            _run.run(_run.load(options), functools.partial(print, flush=True), options)
        except InputError as exc:
            print(f"skae: error: {exc}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nskae: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

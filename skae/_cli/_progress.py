"""A progress bar for a search, in however many processes it runs."""

import contextlib
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Seconds between two looks at how far the search has come.
INTERVAL = 0.2
# Seconds between two lines where the bar is not redrawn in place, as in a log file.
LOG_INTERVAL = 2.0


@dataclass(frozen=True)
class CountingScorer:
    """A scorer that leaves one byte in a file for each score.

    ``GridSearchCV`` calls its scorer once per candidate and fold, in worker processes
    with ``n_jobs=2``. A byte appended to a file is seen from all of them.
    """

    scorer: Any
    path: str

    def __call__(self, estimator, X, y=None):
        """Return the score, and count it."""
        score = self.scorer(estimator, X, y)
        with open(self.path, "ab") as file:
            file.write(b".")
        return score


@contextlib.contextmanager
def progress_bar(total, description):
    """Show a bar on the standard error; yield a function that makes scorers count.

    Parameters
    ----------
    total : int
        Number of scores to come.

    description : str
        What the bar stands for.

    Yields
    ------
    counting : callable
        Takes a scorer, returns one whose calls move the bar.
    """
    from tqdm import tqdm

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scores")
        path.touch()
        in_place = sys.stderr.isatty()
        bar = tqdm(
            total=total,
            desc=description,
            unit="fit",
            file=sys.stderr,
            mininterval=INTERVAL if in_place else LOG_INTERVAL,
        )
        finished = threading.Event()

        def catch_up():
            bar.update(path.stat().st_size - bar.n)

        def follow():
            while not finished.wait(INTERVAL):
                catch_up()
                if in_place:  # the clock runs, also while the first networks train
                    bar.refresh()

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield lambda scorer: CountingScorer(scorer, str(path))
        finally:
            finished.set()
            follower.join()
            catch_up()
            bar.close()

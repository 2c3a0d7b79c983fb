"""Is skae ahead of its neighbours? Every case side by side, in one run.

skae and its rivals run in turn, on the same kind of rows, each first in some rounds;
ratios are taken round by round. PyOD and PyTorch are compared where they are installed:
``pip install "skae[rivals]"``.
"""

import _speed_curves  # noqa: F401
import _speed_scoring  # noqa: F401
import _speed_search  # noqa: F401
import _speed_training  # noqa: F401
from _speed import JOBS

if __name__ == "__main__":
    JOBS.main(__doc__)

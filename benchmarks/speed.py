"""Is skae ahead of its neighbours? Every case side by side, in one run.

skae and its rivals run in turn, on the same kind of rows, each first in some rounds;
ratios are taken round by round. PyOD and PyTorch are compared where they are installed:
``pip install "skae[rivals]"``.
"""

from speed import JOBS

if __name__ == "__main__":
    JOBS.main(__doc__)

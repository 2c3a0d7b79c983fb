"""Does the detector find outliers better than its rivals, on tables of all kinds?

Every contender gets the same standardised rows, and what a careful user would set. The
tables are files ``*.npz`` with X and y (1 marks the anomalies) in any folder; those of
ADBench are at https://github.com/Minqi824/ADBench. PyOD is compared where it is
installed: ``pip install "skae[rivals]"``.
"""

from detection import JOBS

if __name__ == "__main__":
    JOBS.main(__doc__)

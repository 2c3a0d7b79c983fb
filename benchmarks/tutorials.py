"""Do skae's estimators reach what the well-known tutorials reach?

Every row is a tutorial's job. A row is a function of a `Turn`, in one of the modules
below, which the decorator `tutorial` gives a name, the tutorial that it follows, what
is known from elsewhere, and the bars that skae's numbers should clear.
"""

import importlib

from _tutorial import JOBS

# Importing a module adds its rows.
for theme in ("dense", "conv", "denoise", "codes", "ecg", "own"):
    importlib.import_module(f"_rows_{theme}")

if __name__ == "__main__":
    JOBS.main(__doc__)

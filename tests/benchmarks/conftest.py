"""The folder of the benchmarks, whose scripts import their packages by name."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
if BENCHMARKS.is_dir():
    sys.path.append(str(BENCHMARKS))
else:  # not a checkout
    collect_ignore_glob = ["test_*.py"]

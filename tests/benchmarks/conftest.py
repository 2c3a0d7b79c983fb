"""The folder of the benchmarks, whose scripts import their packages by name."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
if sys.platform != "linux" or not BENCHMARKS.is_dir():
    # The memory of a process is read from Linux's /proc; or not a checkout.
    collect_ignore_glob = ["test_*.py"]

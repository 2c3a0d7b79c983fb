"""The machine: where a benchmark ran, and what a call took of time and memory."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import random
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parents[1]
PACKAGES = (
    "skae",
    "tensorflow",
    "keras",
    "scikit-learn",
    "numpy",
    "scipy",
    "pandas",
    "joblib",
)

# --------------------------------------------------- versions and machine, no names


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in PACKAGES
    }


def machine() -> dict[str, Any]:
    """Return processor, cores that this process may use, memory, and system."""
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def load() -> float | None:
    """Return how many processes waited for a core in the last minute, or None."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _cpu() -> str:
    """Return the processor's name; Linux has it in a file only."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cores() -> int | None:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_gib() -> int | None:
    """Return the machine's memory, or None where the system does not say."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(n_bytes / 2**30)


# ----------------------------------------------------------------------------- time


def timed(call: Callable, *args: Any, **kwargs: Any) -> tuple[float, Any]:
    """Return the seconds that a call took, and its result."""
    with _without_collection():
        start = time.perf_counter()
        result = call(*args, **kwargs)
        return time.perf_counter() - start, result


def in_turn(contenders: dict[str, Any], turn: int) -> list[tuple[str, Any]]:
    """Return names and contenders, beginning with another one at every turn."""
    items = list(contenders.items())
    first = turn % len(items)
    return items[first:] + items[:first]


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Keep one contender's garbage out of another's time, as timeit does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# --------------------------------------------------------------------------- memory


def resident_bytes() -> int:
    """Return the resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Peak:
    """The highest resident memory while a block runs, read every 5 ms."""

    def __enter__(self) -> Peak:
        self._ended = threading.Event()
        self.bytes = resident_bytes()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        """Keep the largest value until the block ends."""
        while not self._ended.wait(0.005):
            self.bytes = max(self.bytes, resident_bytes())


# ------------------------------------------------------------- imports and processes


def import_keras() -> None:
    """Import TensorFlow and Keras, so that no time that is taken holds the import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    before = random.getstate()  # something that Keras imports draws from it
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    random.setstate(before)


def run_process(name: str, *arguments: Any) -> Any:
    """Run a function of `harness.processes` in a new process; return its result."""
    paths = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-P", "-m", "harness.processes", name]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The process {name} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])

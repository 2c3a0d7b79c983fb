"""Where a benchmark ran: versions and machine, without names of hosts or folders."""

import os
import platform
from importlib.metadata import version

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


def versions():
    """Return the versions of Python and of the packages that matter."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in PACKAGES
    }


def machine():
    """Return processor, cores that this process may use, memory, and system."""
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def load():
    """Return how many processes wanted a core in the last minute, or None.

    Times taken while others work are to be doubted: the record says so.
    """
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _cpu():
    """Return the processor's name; Linux tells it in a file only."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_gib():
    """Return the machine's memory, or None where the system does not tell."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    return round(n_bytes / 2**30)

"""What the cases of ``speed.py`` share: rounds, ratios, rivals that may be absent."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _clock import in_turn, timed
from _jobs import Jobs
from _measurements import Measurement, collect

JOBS = Jobs("speed")
FOLDER = Path(__file__).parent
SECONDS = "seconds"
# Distribution: the contenders that need it.
EXTRAS = {"torch": ("PyTorch loop",), "pyod": ("PyOD",)}


def present(contenders):
    """Return the contenders whose packages are installed."""
    absent = {
        name
        for package, names in EXTRAS.items()
        if importlib.util.find_spec(package) is None
        for name in names
    }
    return {name: call for name, call in contenders.items() if name not in absent}


def notes():
    """Return what to say about rivals that were not there."""
    absent = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    return [f"Not installed, and so not compared: {', '.join(absent)}."] * bool(absent)


def race(contenders, make_rows, size, bars, judge=None, warm=True):
    """Time contenders in turn, each call on rows of its own.

    Parameters
    ----------
    contenders : dict of str to callable
        Each takes (rows, seed); "skae" is among them.

    make_rows : callable
        From the number of a call to rows that no other call has.

    size : Size

    bars : dict of str to Bar
        How many times faster than a rival skae should be, in the median.

    judge : callable, default=None
        From what a contender returned to a loss.

    warm : bool, default=True
        Whether each contender is called once before, untimed.

    Returns
    -------
    measurements : list of Measurement
        Seconds, losses and ratios, which are taken round by round.
    """
    contenders = present(contenders)
    number = iter(range(10**6))
    if warm:
        for contender in contenders.values():
            contender(make_rows(next(number)), 0)
    rounds = []
    for turn in range(size.n_repeats):
        found, losses = {}, {}
        for name, contender in in_turn(contenders, turn):
            seed = next(number)
            found[name], made = timed(contender, make_rows(seed), seed)
            if judge is not None:
                losses["loss", name] = judge(name, made)
        seconds = {(SECONDS, name): found[name] for name in contenders}
        rounds.append(
            seconds
            | {key: losses[key] for key in losses}
            | {
                faster(rival): found[rival] / found["skae"]
                for rival in contenders
                if rival != "skae"
            }
        )
    present_bars = {
        faster(rival): bar for rival, bar in bars.items() if rival in contenders
    }
    return collect(rounds, present_bars)


def run_script(script, *arguments):
    """Run a script of this folder in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def faster(rival):
    """Return the key of a ratio."""
    return f"times faster than {rival}", "skae"


def median(measurements, quantity, contender):
    """Return the median of one of some measurements."""
    (found,) = (
        one
        for one in measurements
        if (one.quantity, one.contender) == (quantity, contender)
    )
    return float(np.median(found.values))


def over(measurements, quantity, rival, bar):
    """Return skae's median divided by a rival's."""
    ratio = median(measurements, quantity, "skae") / median(
        measurements, quantity, rival
    )
    return Measurement(f"median {quantity}, over {rival}'s", "skae", (ratio,), bar)

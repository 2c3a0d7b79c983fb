"""TensorFlow without its output on the terminal.

TensorFlow's C++ part writes to the process's standard error while it is loaded, and
where the user has imported it, also when a graph is first run: no setting can silence
it then. ``without_chatter`` holds that stream back, and lets through whatever is not
TensorFlow's usual chatter.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.util
import os
import re
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

import numpy as np

from skae._validation import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

# absl's log lines, whose source is a C++ file, and what belongs to them.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} [\d:.]+\s+\d+ \S+\.(cc|h):\d+\]"
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IWE] (external/|tensorflow/)"
    rb"|To enable the following instructions:"
)
_INSTEAD = " keras. Without it, dense and convolutional networks work in NumPy."
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_holding = threading.RLock()


# Whether this process was forked from one in which TensorFlow had run.
_lost_tensorflow = False


@functools.cache
def import_quietly() -> None:
    """Import TensorFlow and Keras once, silently; raise where they cannot run."""
    if _lost_tensorflow:
        raise RuntimeError(
            "TensorFlow cannot run in this process: it was forked from one in which "
            "TensorFlow had run, and would wait forever for threads that stayed there. "
            "Start new processes instead, as joblib's backend 'loky' and "
            "multiprocessing's methods 'spawn' and 'forkserver' do, or fork before "
            "TensorFlow runs. What trains and scores in NumPy works here."
        )
    # Raised before Keras is imported, where the environment says so.
    asked = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if "keras" not in sys.modules:
        _check_backend(asked)
    missing = needs("tensorflow", "Training or scoring this network in Keras", _INSTEAD)
    with missing, same_random_states(), without_chatter(), _fast_and_silent():
        import keras
        import tensorflow as tf

        if keras.backend.backend() == "tensorflow":
            # The first operation has something to say, and the first transposition
            # of integers, which TensorFlow makes of convolutions.
            tf.zeros(()) + 1.0
            tf.transpose(tf.zeros((2, 3), tf.int32))
    _check_backend(keras.backend.backend())


def keras_is_installed() -> bool:
    """Return whether Keras and TensorFlow can be found, without importing them."""
    try:
        return all(map(importlib.util.find_spec, ("keras", "tensorflow")))
    except ImportError:
        return False


def _note_fork() -> None:
    """Note, in a forked child, whether TensorFlow had run before."""
    global _lost_tensorflow
    if "tensorflow" not in sys.modules:
        return
    # Imported alone, it has no threads yet. What cannot be seen counts as running.
    eager = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(eager, "_context", True)
    _lost_tensorflow = getattr(context, "_context_handle", context) is not None
    if _lost_tensorflow:
        import_quietly.cache_clear()


if hasattr(os, "register_at_fork"):  # all but Windows
    os.register_at_fork(after_in_child=_note_fork)


def _check_backend(name: str) -> None:
    """Raise an ImportError for a backend that is not TensorFlow."""
    if name != "tensorflow":
        raise ImportError(
            f"skae trains with Keras on TensorFlow, but Keras is set to the {name!r} "
            "backend. Set the environment variable KERAS_BACKEND=tensorflow before "
            "Keras is imported."
        )


@contextlib.contextmanager
def same_random_states() -> Iterator[None]:
    """Undo the draws of a block from the process's random states (rich takes one)."""
    import random  # not to draw from it

    of_numpy = np.random  # whose state is put back, and which is not drawn from
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(of_numpy.set_state, of_numpy.get_state())
        yield


@contextlib.contextmanager
def _fast_and_silent() -> Iterator[None]:
    """Collect no garbage; log errors only, unless the user has set the level."""
    with contextlib.ExitStack() as stack:
        if gc.isenabled():  # what is imported stays: a tenth of the import
            gc.disable()
            stack.callback(gc.enable)
        if _LEVEL not in os.environ:
            os.environ[_LEVEL] = "2"
            stack.callback(os.environ.pop, _LEVEL, None)
        yield


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back file descriptor 2, then forward what is not chatter; all, on errors."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_holding)  # two threads would put back each other's stream
        try:
            held = stack.enter_context(tempfile.TemporaryFile())
            real = stack.enter_context(os.fdopen(os.dup(2), "wb"))
            _flush_stderr()
            os.dup2(held.fileno(), 2)
        except OSError:  # no standard error, or no place to hold it
            held = None
        if held is None:
            yield
            return
        failed = True
        try:
            yield
            failed = False
        finally:
            _flush_stderr()
            os.dup2(real.fileno(), 2)
            held.seek(0)
            real.writelines(one for one in held if failed or not _CHATTER.match(one))


def _flush_stderr() -> None:
    """Write out what Python still holds of its standard error."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()

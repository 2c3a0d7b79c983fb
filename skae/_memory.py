"""Trainings that are remembered: each done once, whoever asks and however often.

A ``joblib.Memory`` keeps the results. What it lacks is added here: a key made of
contents (``skae._engine._digest``), and one lock per key, so that workers that need the
same network wait for the first one instead of training it again. Its own way of finding
results again (``Memory.cache``) is not used: it forgets results in a folder where
another process wrote first, and it asks for source code that a worker may not have.
"""

import os
import pickle
import platform
import warnings
from numbers import Integral
from pathlib import Path

from filelock import FileLock
from joblib import wrap_non_picklable_objects
from sklearn.utils.validation import check_memory

from skae import _engine as engine
from skae._engine._digest import CannotDescribeError, digest, package_version

# A result depends on these versions, too, and on Python's.
_PACKAGES = ("skae", "numpy", "scikit-learn", "scipy", "keras", "tensorflow")
_NOTHING = object()


def remembered(memory, random_state, content, compute):
    """Return ``compute()``, or what it returned before for the same content.

    Parameters
    ----------
    memory : str, path, joblib.Memory or None
        Where results are kept; None keeps none.

    random_state : int, RandomState or None
        Only an int makes a training repeatable.

    content : object
        Everything that the result depends on.

    compute : callable
        Takes no argument; its result is pickled.

    Returns
    -------
    result : object

    Raises
    ------
    ValueError
        Where ``memory`` is nothing that results can be kept in.

    Warns
    -----
    UserWarning
        Where ``content`` cannot be told apart, ``random_state`` is no int, or what was
        kept cannot be read: the network is trained anew.
    """
    store = _store_of(memory)
    if store is None:
        return compute()
    key = _key(random_state, content)
    if key is None:
        return compute()
    place = ("skae", key)
    # What is kept was moved into its place when it was complete: no lock is needed.
    result = _load(store, place)
    if result is not _NOTHING:
        return result
    locks = Path(store.location) / "skae-locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{key}.lock"):
        result = _load(store, place, on_failure=_warn_unreadable)
        if result is _NOTHING:
            result = compute()
            _keep(store, place, result)
    return result


def _store_of(memory):
    """Return what keeps the results of a memory, or None."""
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    memory = check_memory(memory)
    if not hasattr(memory, "store_backend"):
        raise ValueError(
            f"memory is {memory!r}, which has no store of its own; pass a path or a "
            "joblib.Memory."
        )
    return memory.store_backend


def _key(random_state, content):
    """Return the key of a training; warn and return None where it has none."""
    if not isinstance(random_state, Integral):
        warnings.warn(
            f"memory is set, but random_state={random_state!r}: only a training with "
            "an int random_state can be used again. Pass an int.",
            UserWarning,
            stacklevel=3,
        )
        return None
    versions = [platform.python_version(), *map(package_version, _PACKAGES)]
    try:
        return digest([content, int(random_state), versions], engine.keras_config)
    except CannotDescribeError as exc:
        warnings.warn(
            f"memory is set, but this training cannot be told apart from others: {exc} "
            "The network is trained anew.",
            UserWarning,
            stacklevel=3,
        )
        return None


def _load(store, place, on_failure=None):
    """Return what is kept at a place, or ``_NOTHING``."""
    if not store.contains_item(place):
        return _NOTHING
    try:
        return pickle.loads(store.load_item(place, verbose=0))
    except Exception as exc:
        if on_failure is not None:
            on_failure(store, exc)
        return _NOTHING


def _warn_unreadable(store, exc):
    warnings.warn(
        f"memory holds this training in {store.location!r}, but it cannot be read "
        f"({type(exc).__name__}: {exc}). The network is trained anew.",
        UserWarning,
        stacklevel=4,
    )


def _keep(store, place, result):
    """Put a result in its place."""
    try:
        payload = _pickled(result)
    except Exception as exc:
        warnings.warn(
            f"memory cannot keep this training, which does not pickle: "
            f"{type(exc).__name__}: {exc}.",
            UserWarning,
            stacklevel=3,
        )
    else:
        store.dump_item(place, payload, verbose=0)


def _pickled(result):
    """Return a pickle; it holds the classes that this process cannot import.

    Those are what a notebook defines and a worker process has got from it.
    """
    try:
        return pickle.dumps(result)
    except Exception:
        return pickle.dumps(wrap_non_picklable_objects(result, keep_wrapper=False))

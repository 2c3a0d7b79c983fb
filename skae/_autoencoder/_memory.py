"""Memory: what follows from a training is computed once, in whichever process.

A ``joblib.Memory`` keeps the results. What it lacks is added here: a key made of
contents, and one lock per key, so that workers that need the same network wait for the
first one instead of training it again. Its own way of finding
results again (``Memory.cache``) is not used: it forgets results in a folder where
another process wrote first, and it asks for source code that a worker may not have.
"""

from __future__ import annotations

import os
import pickle
import platform
import warnings
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from joblib import wrap_non_picklable_objects
from sklearn.utils.validation import check_memory

from skae import _engine as engine
from skae._engine._digest import CannotDescribeError, digest, package_version

if TYPE_CHECKING:
    from collections.abc import Callable

# A result depends on these versions, too, and on Python's.
_PACKAGES = ("skae", "numpy", "scikit-learn", "scipy", "keras", "tensorflow")
_NOTHING = object()


class TrainingMemory:
    """Keeps what follows from one training, under names.

    ``memory`` is a path, a ``joblib.Memory`` or None, and ``content`` is everything on
    which the training depends; only an int random state makes it repeatable.
    """

    def __init__(self, memory: Any, random_state: Any, content: Any) -> None:
        self._store = _store_of(memory)
        self._key = None
        if self._store is None:
            return
        self._key = _key_of(random_state, content)

    def recall(self, name: list[Any], compute: Callable[[], Any]) -> Any:
        """Return ``compute()``, or what it returned before under the same name."""
        if self._key is None:
            return compute()
        key = digest([self._key, *name])
        place = ("skae", key)
        # What is kept was moved into its place when it was complete: no lock is needed.
        result = self._load(place)
        if result is not _NOTHING:
            return result
        locks = Path(self._store.location) / "skae-locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / f"{key}.lock"):
            result = self._load(place, warns=True)
            if result is _NOTHING:
                result = compute()
                self._keep(place, result)
        return result

    def close(self) -> None:
        """Keep nothing from now on: it would follow from an interrupted training."""
        self._key = None

    def _load(self, place: tuple[str, str], *, warns: bool = False) -> Any:
        """Return what is kept at a place, or ``_NOTHING``."""
        if not self._store.contains_item(place):
            return _NOTHING
        try:
            return pickle.loads(self._store.load_item(place, verbose=0))
        except Exception as exc:
            if warns:
                _warn(
                    f"memory holds this training in {self._store.location!r}, but it "
                    f"cannot be read ({type(exc).__name__}: {exc}). The network is "
                    "trained anew."
                )
            return _NOTHING

    def _keep(self, place: tuple[str, str], result: Any) -> None:
        """Put a result in its place."""
        try:
            payload = _pickled(result)
        except Exception as exc:
            _warn(
                "memory cannot keep this training, which does not pickle: "
                f"{type(exc).__name__}: {exc}."
            )
        else:
            self._store.dump_item(place, payload, verbose=0)


def _store_of(memory: Any) -> Any:
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


def _key_of(random_state: Any, content: Any) -> str | None:
    """Return the key of a training; warn and return None where it has none."""
    if not isinstance(random_state, Integral):
        _warn(
            f"memory is set, but random_state={random_state!r}: only a training with "
            "an int random_state can be used again. Pass an int."
        )
        return None
    versions = [platform.python_version(), *map(package_version, _PACKAGES)]
    try:
        return digest([content, int(random_state), versions], engine.keras_config)
    except CannotDescribeError as exc:
        _warn(
            f"memory is set, but this training cannot be told apart from others: {exc} "
            "The network is trained anew."
        )
        return None


def _pickled(result: Any) -> bytes:
    """Return a pickle; it holds the classes that this process cannot import."""
    # Those are what a notebook defines and a worker process has got from it.
    try:
        return pickle.dumps(result)
    except Exception:
        return pickle.dumps(wrap_non_picklable_objects(result, keep_wrapper=False))


def _warn(message: str) -> None:
    """Warn the user whose estimator fits."""
    warnings.warn(message, UserWarning, stacklevel=5)

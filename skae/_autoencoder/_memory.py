"""Memory: what follows from a training is computed once, in whichever process.

It lies in the folder of a ``joblib.Memory``, of which joblib's own way of keeping
results is not used: that loads pickles, which run code. An entry is an NPZ file of
numbers and JSON, with its key and checksums; what does not fit is computed anew. There
is one lock per key, so that workers that need the same network wait for the first one
instead of training it again.
"""

from __future__ import annotations

import contextlib
import copy
import os
import platform
import threading
import time
import uuid
import warnings
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from skae import _engine as engine
from skae._autoencoder._entries import read_entry, write_entry
from skae._autoencoder._settings import Training
from skae._autoencoder._train import fitted_scalers
from skae._autoencoder._value import Autoencoder
from skae._engine._digest import CannotDescribeError, digest, package_version
from skae._engine._fingerprint import Fingerprint, fingerprint
from skae._scalers import scaler_of, scaler_state
from skae.thresholds._calibration import Calibration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A result depends on these versions, too, and on Python's.
_PACKAGES = ("skae", "numpy", "scikit-learn", "scipy", "keras", "tensorflow")
_NOTHING = object()
_ENTRY = "entry.npz"
_POLL_SECONDS = 0.05


class TrainingMemory:
    """Keeps what follows from one training, under names.

    ``memory`` is a path, a ``joblib.Memory`` or None, and ``content`` is everything on
    which the training depends; only an int random state makes it repeatable.
    """

    # Seconds of waiting for another process: until a warning, and, where that process
    # shows no sign of life, until the result is computed here.
    warns_after, gives_up_after = 10.0, 30.0
    beats_every = 2.0  # seconds, while a result is computed

    def __init__(
        self,
        memory: Any,
        random_state: Any,
        content: Any,
        build: Callable[[], tuple[Any, Any]] = lambda: (None, None),
    ) -> None:
        # `build` returns the first network's fingerprint and models, where it is of a
        # user's code; they are at hand for its training.
        self.built: tuple[Any, Any] = (None, None)
        self._random_state = random_state
        self._folder: Any = _folder_of(memory)  # a path, or None
        self._warned: set[str] = set()  # what was said; once is enough
        self._key: str | None = None
        if self._folder is not None:
            self._set_key(content, build)

    def of_fold(
        self, content: Any, build: Callable[[], tuple[Any, Any]] = lambda: (None, None)
    ) -> TrainingMemory:
        """Return the memory of another training in the same fit."""
        other = copy.copy(self)  # which warns no second time
        if self._key is not None:
            other._set_key(content, build)
        return other

    def _set_key(self, content: Any, build: Callable[[], tuple[Any, Any]]) -> None:
        """Set the key of a training; warn where it has none."""
        self._key = None
        if not isinstance(self._random_state, Integral):
            self._warn(
                f"memory is set, but random_state={self._random_state!r}: only a "
                "training with an int random_state can be used again. Pass an int.",
                "key",
            )
            return
        versions = [platform.python_version(), *map(package_version, _PACKAGES)]
        parts = [content, int(self._random_state), versions]
        try:
            key = digest(parts, engine.keras_config)
            self.built = build()
            if (known := self.built[0]) is not None:
                if known.value is None:
                    raise CannotDescribeError("the network's layers hold other code.")
                key = digest([key, known.value])
        except CannotDescribeError as exc:
            self._warn(
                "memory is set, but this training cannot be told apart from others: "
                f"{exc} The network is trained anew.",
                "key",
            )
        else:
            self._key = key

    def recall(
        self,
        name: list[Any],
        compute: Callable[[], Any],
        *,
        pack: Callable[[Any], Any] = lambda result: result,
        unpack: Callable[[Any], Any] = lambda state: state,
        kinds: tuple[type, ...] = (Calibration,),
    ) -> Any:
        """Return ``compute()``, or what it returned before under the same name."""
        # What is kept is ``pack(result)``: arrays, plain values, lists, tuples, dicts
        # and instances of `kinds`, which are dataclasses or named tuples.
        if self._key is None:
            return compute()
        key = digest([self._key, *name])
        place = self._folder / "skae" / key / _ENTRY

        def load(*, warns: bool = False) -> Any:
            """Return what is kept, or ``_NOTHING``."""
            try:
                return unpack(read_entry(place, key, kinds))
            except (FileNotFoundError, NotADirectoryError):
                return _NOTHING
            except Exception as exc:
                if warns:
                    self._warn(
                        f"memory holds this training in {str(place)!r}, but it cannot "
                        f"be used ({type(exc).__name__}: {exc}). The network is "
                        "trained anew."
                    )
                return _NOTHING

        # What is kept was moved into its place when it was complete: no lock is needed.
        result = load()
        if result is not _NOTHING:
            return result
        with self._locked(key):
            result = load(warns=True)
            if result is _NOTHING:
                result = compute()
                self._keep(place, key, lambda: pack(result), kinds)
        return result

    def recall_network(
        self, name: list[Any], training: Training, compute: Callable[[], Autoencoder]
    ) -> Autoencoder:
        """Return a network of a training, or what was trained before."""
        unpack = partial(_unpacked, training)
        return self.recall(name, compute, pack=_packed, unpack=unpack)

    def close(self) -> None:
        """Keep nothing from now on: it would follow from an interrupted training."""
        self._key = None

    def _keep(
        self,
        place: Path,
        key: str,
        state: Callable[[], Any],
        kinds: tuple[type, ...],
    ) -> None:
        """Put a result in its place."""
        draft = place.with_name(f"{uuid.uuid4().hex}.npz")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_entry(draft, state(), key, kinds)
                draft.replace(place)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as exc:
            self._warn_of_folder(exc)
        except TypeError as exc:
            self._warn(f"memory cannot keep this training: {exc}", "kept")

    # ---------------------------------------------------------------------- locks

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Let the block run alone among those of a key, as far as that can be had."""
        place = self._folder / "skae-locks" / f"{key}.lock"
        beat, lock = place.with_suffix(".beat"), FileLock(place)
        try:
            if not self._folder.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                (self._folder / ".gitignore").write_text("*\n")
            place.parent.mkdir(exist_ok=True)
            is_alone = self._acquire(lock, beat)
        except (OSError, NotImplementedError) as exc:  # read-only, or without locks
            self._warn_of_folder(exc)
            is_alone = False
        if not is_alone:
            yield
            return
        is_done = threading.Event()

        def show_life() -> None:
            """Touch a file now and then: a process that was stopped does not."""
            while True:
                with contextlib.suppress(OSError):
                    beat.touch()
                if is_done.wait(self.beats_every):
                    break

        thread = threading.Thread(target=show_life, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_done.set()
            thread.join()
            with contextlib.suppress(OSError):
                beat.unlink(missing_ok=True)
            lock.release()

    def _acquire(self, lock: FileLock, beat: Path) -> bool:
        """Acquire a lock; return False where its holder shows no sign of life."""
        start = heard = time.monotonic()
        latest = None  # by the clock of the file system, which may be another
        while True:
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=4 * _POLL_SECONDS, poll_interval=_POLL_SECONDS)
                return True
            now = time.monotonic()
            with contextlib.suppress(OSError):
                if (seen := beat.stat().st_mtime_ns) != latest:
                    latest, heard = seen, now
            if now - heard >= self.gives_up_after:
                self._warn(
                    f"memory waited {now - start:.0f} seconds for another process, "
                    "which trains the same network but shows no sign of life. The "
                    f"network is trained here, too. Look for what holds {str(beat)!r}.",
                    "stopped",
                )
                return False
            if now - start >= self.warns_after:
                self._warn(
                    "memory waits for another process or thread, which trains the same "
                    f"network in {str(self._folder)!r}.",
                    "waits",
                )

    def _warn(self, message: str, topic: str = "damage") -> None:
        """Warn the user whose estimator fits, once in a fit."""
        if topic not in self._warned:
            self._warned.add(topic)
            warnings.warn(message, UserWarning, stacklevel=5)

    def _warn_of_folder(self, exc: Exception) -> None:
        """Warn that nothing can be written."""
        self._warn(
            f"memory cannot be written to {str(self._folder)!r} "
            f"({type(exc).__name__}: {exc}). What it holds is used, and what it lacks "
            "is trained each time. Pass a folder that can be written to.",
            "folder",
        )


def memory_of(
    training: Training, memory: Any, random_state: Any, within: TrainingMemory | None
) -> TrainingMemory:
    """Return what keeps the networks of a training, and what follows from them."""
    training.settings.network.check_portable()
    parts = training.rows, training.validation
    tables = [None if part is None else vars(part) for part in parts]
    content = [vars(training.settings), *tables, training.seed]
    build = partial(fingerprint, training.architecture, training.seed)
    if within is not None:
        return within.of_fold(content, build)
    return TrainingMemory(memory, random_state, content, build)


def _folder_of(memory: Any) -> Path | None:
    """Return the folder of a memory, or None."""
    if memory is None:
        return None
    if isinstance(memory, (str, os.PathLike)):
        if not os.fspath(memory).strip():
            raise ValueError(
                f"memory is {memory!r}, which names no folder; pass a path such as "
                "'cache', a joblib.Memory, or None."
            )
        return Path(memory).expanduser() / "joblib"
    store = getattr(memory, "store_backend", _NOTHING)
    if store is None:  # of joblib.Memory(None)
        return None
    location = getattr(store, "location", None)
    if not isinstance(location, (str, os.PathLike)):
        raise ValueError(
            f"memory is {memory!r}, which has no folder of its own; pass a path or a "
            "joblib.Memory."
        )
    return Path(location)


# -------------------------------------------------------------------- networks


def _packed(network: Autoencoder) -> dict[str, Any]:
    """Return what memory keeps of a network: nothing of the user's."""
    forward, scalers = network.forward, [network.scaler]
    if network.target_scaler is not network.scaler:
        scalers.append(network.target_scaler)
    known = forward.fingerprint
    return {
        "weights": forward.weights,
        "latent_shape": forward.latent_shape,
        "fingerprint": None if known is None else tuple(known),
        "scalers": [scaler_state(one) or _digest_of(one) for one in scalers],
        "history": network.history,
        "fill": network.fill,
        "restored": network.restored,
        "measured": (network.train_mse, network.train_r2),
    }


def _unpacked(training: Training, state: dict[str, Any]) -> Autoencoder:
    """Return the network that memory kept for a training."""
    kept, known = state["scalers"], state["fingerprint"]
    if all(isinstance(one, dict) for one in kept):
        scalers = [*map(scaler_of, kept)]
    else:  # a user's transformers are fitted again, to the same if all is well
        scalers = [*fitted_scalers(training.settings, training.table)][: len(kept)]
        if [*map(_digest_of, scalers)] != kept:
            raise ValueError("the scaler does not learn the same of the same rows.")
    forward = engine.TrainedNetwork(
        training.architecture,
        state["weights"],
        state["latent_shape"],
        known and Fingerprint(*known),
    )
    network = Autoencoder(
        forward,
        scalers[0],
        scalers[-1],
        state["history"],
        state["fill"],
        state["restored"],
    )
    network.train_mse, network.train_r2 = state["measured"]
    return network


def _digest_of(scaler: Any) -> str:
    """Return the digest of a user's fitted scaler."""
    return digest(scaler, engine.keras_config)

"""The data of one training, by name."""

from __future__ import annotations

from math import prod

import numpy as np

from skae._engine._spec import Rows, TrainingSpec
from skae.corruptions import corrupt, feature_extremes

_ALIGNMENT = 64  # bytes; what TensorFlow's kernels ask of a tensor's memory


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return a new float32 array whose memory a tensor can share."""
    n = prod(shape)
    memory = np.empty(n + _ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[start : start + n].reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Return whether a tensor can share an array's memory."""
    return array.ctypes.data % _ALIGNMENT == 0


def training_arrays(
    spec: TrainingSpec, rows: Rows, validation: Rows | None, noise_seed: int
) -> dict[str, np.ndarray]:
    """Return float32 arrays by name; `noise_seed` is of the validation's corruption."""
    # That is drawn once, so that validation losses are comparable along a training.
    data = {"x": rows.x}
    if rows.y is not None:
        data["y"] = rows.y
    if rows.weight is not None:
        data["weight"] = rows.weight
    corruption = spec.corruption
    if corruption is not None and corruption.needs_extremes:
        data["low"], data["high"] = feature_extremes(rows.x)
    if rows.fill is not None:  # one row of it; x and y keep their gaps
        data["fill"] = np.broadcast_to(rows.fill, rows.x[:1].shape)
    if validation is not None:
        inputs, weight = validation.x, validation.weight
        if corruption is not None:
            inputs = corrupt(corruption, inputs, seed=noise_seed, training_rows=rows.x)
        if rows.fill is not None:
            inputs = np.where(np.isnan(inputs), rows.fill, inputs)
        if weight is None:
            weight = np.ones(len(inputs), np.float32)
        data |= {"val_x": inputs, "val_y": validation.targets, "val_weight": weight}
    return data


def check_optimizer_state(state: list, fresh: list, optimizer: object) -> None:
    """Raise a ValueError where a state is not shaped like an optimizer's fresh one."""
    if [np.shape(value) for value in state] != [np.shape(value) for value in fresh]:
        raise ValueError(
            f"Training cannot continue: the optimizer is now {type(optimizer).__name__}"
            ", but the state that is kept is another's. Keep the optimizer, or begin "
            "anew with fit."
        )

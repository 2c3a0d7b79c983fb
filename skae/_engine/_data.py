"""The data of one training, by name."""

from math import prod

import numpy as np

from skae.corruptions import corrupt, feature_extremes

_ALIGNMENT = 64  # bytes; what TensorFlow's kernels ask of a tensor's memory


def aligned_empty(shape):
    """Return a new float32 array whose memory a tensor can share."""
    n = prod(shape)
    memory = np.empty(n + _ALIGNMENT // 4, np.float32)
    start = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[start : start + n].reshape(shape)


def is_aligned(array):
    """Return whether a tensor can share an array's memory."""
    return array.ctypes.data % _ALIGNMENT == 0


def as_arrays(spec, rows, validation, noise_seed):
    """Return a program's data, a dict of str to float32 array.

    Parameters
    ----------
    spec : TrainingSpec

    rows : Rows

    validation : Rows or None

    noise_seed : int
        Seed of the corruption of the validation rows, which is drawn once: validation
        losses are comparable along a training.
    """
    data = {"x": rows.x}
    if rows.y is not None:
        data["y"] = rows.y
    if rows.weight is not None:
        data["weight"] = rows.weight
    corruption = spec.corruption
    if needs_extremes(corruption):
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


def needs_extremes(corruption):
    """Return whether a corruption reads the training rows' extremes."""
    return corruption is not None and corruption.needs_extremes

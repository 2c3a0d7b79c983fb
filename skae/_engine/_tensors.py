"""The data of a compiled program: their specification, tensors, and batches."""

import numpy as np
import tensorflow as tf

from skae._engine._data import as_arrays, is_aligned, needs_extremes
from skae._engine._draws import TensorDraw

_LARGE = 1 << 20  # bytes; copies of smaller arrays cost nothing


def data_signature(spec, has_targets, is_weighted, has_validation, has_missing):
    """Return the specification of a program's data, a dict of name to tensor."""

    def rows(*shape):
        return tf.TensorSpec((None, *shape), tf.float32)

    x = rows(*spec.architecture.input_shape)
    y = rows(*spec.architecture.output_shape)
    data = {"x": x}
    if has_targets:
        data["y"] = y
    if is_weighted:
        data["weight"] = rows()
    if needs_extremes(spec.corruption):
        data["low"] = data["high"] = tf.TensorSpec(x.shape[-1:], tf.float32)
    if has_missing:
        data["fill"] = x
    if has_validation:
        data |= {"val_x": x, "val_y": y, "val_weight": rows()}
    return data


def as_tensors(spec, rows, validation, noise_seed):
    """Return a program's data as tensors; documented as ``as_arrays``."""
    arrays = as_arrays(spec, rows, validation, noise_seed)
    return {name: tensor_of(array) for name, array in arrays.items()}


def tensor_of(array):
    """Return a float32 tensor of an array.

    A large one from ``aligned_empty`` is not copied: it has to stay as it is. But on a
    machine with a GPU all are, once, to where they are computed with.
    """
    is_ours = array.flags.c_contiguous and array.flags.writeable and is_aligned(array)
    is_copied = array.nbytes < _LARGE or array.dtype != np.float32 or not is_ours
    if is_copied or tf.config.list_logical_devices("GPU"):
        return tf.constant(array, tf.float32)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def batch_of(data, rows, corruption, seed):
    """Return inputs, damaged afresh, targets, and weights (or None) of some rows."""
    x = tf.gather(data["x"], rows)
    y = tf.gather(data["y"], rows) if "y" in data else x
    weight = tf.gather(data["weight"], rows) if "weight" in data else None
    given = x
    if corruption is not None:
        x = tf.ensure_shape(corruption.apply(x, TensorDraw(seed, data)), x.shape)
    if "fill" in data:  # as ``filled_inputs``
        x = tf.where(tf.math.is_nan(x), given, x)
        x = tf.where(tf.math.is_nan(given), data["fill"], x)
    return x, y, weight

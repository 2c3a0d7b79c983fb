"""The data of a program: their specification, and the tensors of one training."""

import numpy as np
import tensorflow as tf

from skae.corruptions import corrupt, feature_extremes
from skae.engine._draws import TensorDraw


def data_signature(design, has_targets, is_weighted, has_validation):
    """Return the specification of a program's data, a dict of name to tensor."""

    def rows(*shape):
        return tf.TensorSpec((None, *shape), tf.float32)

    x = rows(*design.architecture.input_shape)
    y = rows(*design.architecture.output_shape)
    data = {"x": x}
    if has_targets:
        data["y"] = y
    if is_weighted:
        data["weight"] = rows()
    if _needs_extremes(design.corruption):
        data["low"] = data["high"] = tf.TensorSpec(x.shape[-1:], tf.float32)
    if has_validation:
        data |= {"val_x": x, "val_y": y, "val_weight": rows()}
    return data


def as_tensors(design, rows, validation, noise_seed):
    """Return a program's data.

    Parameters
    ----------
    design : Design

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
    corruption = design.corruption
    if _needs_extremes(corruption):
        data["low"], data["high"] = feature_extremes(rows.x)
    if validation is not None:
        inputs, weight = validation.x, validation.weight
        if corruption is not None:
            inputs = corrupt(corruption, inputs, seed=noise_seed, training_rows=rows.x)
        if weight is None:
            weight = np.ones(len(inputs), np.float32)
        data |= {"val_x": inputs, "val_y": validation.targets, "val_weight": weight}
    return {name: tf.constant(array, tf.float32) for name, array in data.items()}


def batch_of(data, rows, corruption, seed):
    """Return inputs, damaged afresh, targets, and weights (or None) of some rows."""
    x = tf.gather(data["x"], rows)
    y = tf.gather(data["y"], rows) if "y" in data else x
    weight = tf.gather(data["weight"], rows) if "weight" in data else None
    if corruption is not None:
        x = tf.ensure_shape(corruption.apply(x, TensorDraw(seed, data)), x.shape)
    return x, y, weight


def _needs_extremes(corruption):
    return corruption is not None and corruption.needs_extremes

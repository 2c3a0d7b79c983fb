"""From rows to codes, reconstructions and errors, as nodes of an ONNX graph.

Rows are flat but where a scaler sees them. What `skae._autoencoder` computes in float64
is of float64 here, too; networks compute in the type of the graph.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from skae._layers._base import Layer, Weights, with_weights
from skae._layers._special import KerasModel
from skae._row_errors._learned import _GROUP, _ITSELF, _SMALLEST_FACTOR
from skae._row_errors._scorer import _EPSILON, _FREEDOM
from skae._scalers import TransformerScaler, is_affine
from skae.onnx._nodes import Graph, run

Stack = list[tuple[Layer, Weights]]
# Their inverse is a product and a sum, column by column.
_AFFINE = MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler


class Scaled(NamedTuple):
    """Flat rows in scaled space."""

    observed: str  # NaN where entries are missing
    inputs: str  # what networks get
    missing: str | None  # mask, None where no entry may be missing


def scaled(graph: Graph, autoencoder: Any, x: str) -> Scaled:
    """Return rows of the estimator's input as its networks get them."""
    shape, scaler = autoencoder.architecture.input_shape, autoencoder.scaler
    wide, p = graph.of(np.float64), prod(shape)
    rows = x
    if is_affine(scaler) and hasattr(scaler, "center_"):
        center = scaler.center_
        if graph.dtype == np.float32:
            scaler.transform(np.zeros((1, *shape), np.float32))  # raises where too few
            center = scaler._center_in_float32
        rows = wide("Div", wide("Sub", wide.cast(x), center), scaler.scale_)
        rows = graph.cast(rows)
    rows = graph("Reshape", rows, [0, p])
    if isinstance(scaler, TransformerScaler):
        rows = graph.cast(graph.converted(scaler.transformer_, wide.cast(rows), p))
    if autoencoder.fill is None:
        return Scaled(rows, rows, None)
    missing = graph("IsNaN", graph("Reshape", x, [0, p]))
    fill = np.broadcast_to(autoencoder.fill, shape).reshape(-1)
    observed = graph("Where", missing, np.nan, rows)
    return Scaled(observed, graph("Where", missing, fill, rows), missing)


def unscaled(graph: Graph, autoencoder: Any, rows: str) -> str:
    """Return flat outputs of a network in the units and the shape of the targets."""
    shape, scaler = autoencoder.architecture.output_shape, autoencoder.target_scaler
    wide = graph.of(np.float64)
    if isinstance(scaler, TransformerScaler):
        transformer = scaler.transformer_
        if type(transformer) not in _AFFINE:
            raise NotImplementedError(
                f"the inverse of scaler {transformer!r} has no converter to ONNX. Use "
                "a named scaler, or one of "
                f"{', '.join(one.__name__ for one in _AFFINE)}."
            )
        low, high = (
            transformer.inverse_transform(np.full((1, prod(shape)), value))
            for value in (0.0, 1.0)
        )
        rows = wide("Add", wide("Mul", wide.cast(rows), high - low), low)
        return graph("Reshape", graph.cast(rows), [0, *shape])
    rows = graph("Reshape", rows, [0, *shape])
    if hasattr(scaler, "center_"):
        rows = wide("Mul", wide.cast(rows), scaler.scale_)
        rows = graph.cast(wide("Add", rows, scaler.center_))
    return rows


def stacks(autoencoder: Any) -> tuple[Stack, Stack]:
    """Return the layers of encoder and decoder with their weights."""
    network = autoencoder.forward
    layers = network.architecture.layers
    if layers is None or any(isinstance(layer, KerasModel) for layer in layers.all):
        raise NotImplementedError(
            f"{network.architecture.network!r} is Keras code, which has no converter "
            "to ONNX. Keras exports the network alone, of rows in scaled space: "
            "estimator.to_keras().export('network.onnx', format='onnx'). For a whole "
            "pipeline in ONNX, use a network of skae."
        )
    pairs, n = with_weights(layers.all, network.weights), len(layers.encoder)
    return pairs[:n], pairs[n:]


# -------------------------------------------------------------------------- errors


def errors(graph: Graph, scorer: Any, x: str) -> str:
    """Return the errors of rows, (n, 1), in float64."""
    wide, p = graph.of(np.float64), prod(scorer.row_shape)
    rows = scaled(graph, scorer.networks[0], x)
    observed = wide.cast(rows.observed)
    n_observed: Any = float(p)
    if rows.missing is not None:
        n_missing = wide.reduced("ReduceSum", wide.cast(rows.missing))
        n_observed = wide("Sub", float(p), n_missing)
    totals = []
    for network in scorer.networks:
        encoder, decoder = stacks(network)
        statistics = run(graph, encoder[:-1], rows.inputs)
        code = run(graph, encoder[-1:], statistics)
        output = graph("Reshape", run(graph, decoder, code), [0, p])
        output = wide.cast(output)
        values = _values(wide, scorer, observed, output, rows.missing)
        if rows.missing is not None:
            values = wide("Where", rows.missing, 0.0, values)
        total = wide("Div", wide.reduced("ReduceSum", values), n_observed)
        if scorer.kind.has_terms:
            terms = wide.cast(_terms(graph, network, statistics, code))
            total = wide("Add", total, terms)
        totals.append(total)
    total = wide("Div", wide("Sum", *totals), float(len(totals)))
    if scorer.neighbors is not None:
        inputs = wide.cast(rows.inputs)
        total = wide("Mul", total, _factors(wide, scorer.neighbors, inputs))
    return wide("Where", wide("IsNaN", total), np.inf, total)  # of absurd rows


def _values(g: Graph, scorer: Any, x: str, output: str, missing: str | None) -> str:
    """Return the error of every value."""
    kind = scorer.kind.values
    if kind == "binary_crossentropy":
        probability = g("Clip", output, _EPSILON, 1 - _EPSILON)
        other = g("Log", g("Sub", 1.0, probability))
        one = g("Mul", x, g("Log", probability))
        return g("Neg", g("Add", one, g("Mul", g("Sub", 1.0, x), other)))
    residuals = g("Sub", x, output)
    if kind == "mae":
        return g("Abs", residuals)
    if kind in ("whitened", "nearest"):
        if missing is not None:
            residuals = g("Where", missing, 0.0, residuals)
        whitening = scorer.whitening
        residuals = g("Div", residuals, whitening.scale)
        if whitening.root is not None:
            residuals = g("MatMul", residuals, whitening.root)
    squares = g("Mul", residuals, residuals)
    if kind == "standardized":
        return g("Div", squares, scorer.feature_scale.reshape(-1))
    if kind == "mse":
        return squares
    # Minus the logarithm of Student's density, but for its constant.
    logs = g("Log", g("Add", g("Div", squares, _FREEDOM), 1.0))
    values = g("Mul", logs, (_FREEDOM + 1) / 2)
    return g("Where", g("IsNaN", values), np.inf, values)  # of absurd rows


def _terms(g: Graph, network: Any, statistics: str, mean: str) -> str:
    """Return the weighted terms of a variational network for each row, (n, 1)."""
    width = network.width
    log_variance = g("Slice", statistics, [width], [2 * width], [1])
    spread = g("Sub", g("Sub", g("Exp", log_variance), 1.0), log_variance)
    both = g("Add", g("Mul", mean, mean), spread)
    return g("Mul", g.reduced("ReduceSum", both), 0.5 * network.terms["kl"])


def _factors(g: Graph, neighbors: Any, x: str) -> str:
    """Return how far rows lie from the training rows, (n, 1)."""
    x = g("Sub", x, neighbors.center)
    squares = g.reduced("ReduceSum", g("Mul", x, x))
    squared = g("MatMul", x, -2 * neighbors.rows.T)
    squared = g("Add", g("Add", squared, squares), neighbors.squares)
    itself = g("Mul", g("Add", squares, neighbors.typical), _ITSELF)
    squared = g("Where", g("LessOrEqual", squared, itself), np.inf, squared)
    size = len(neighbors.rows) // _GROUP
    groups = g.reduced("ReduceMin", g("Reshape", squared, [0, _GROUP, size]))
    groups = g("Reshape", groups, [0, size])
    nearest = g.reduced("ReduceMin", groups)
    nearest = g("Where", g("IsInf", nearest), 0.0, nearest)
    itself = g("IsInf", groups)
    total = g.reduced("ReduceSum", g("Where", itself, 0.0, groups))
    n_others = g.reduced("ReduceSum", g.cast(g("Not", itself)))
    mean = g("Div", total, g("Max", n_others, 1.0))
    absurd = g("Or", g("IsInf", squares), g("IsNaN", squares))
    distances = (
        g("Div", g("Sqrt", g("Where", absurd, np.inf, one)), unit)
        for one, unit in zip((nearest, mean), neighbors.units, strict=True)
    )
    return g("Max", *distances, _SMALLEST_FACTOR)

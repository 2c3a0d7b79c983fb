"""Estimators in ONNX: converters that skl2onnx finds once this module is imported.

``import skae.onnx`` registers `AutoencoderTransformer`, `DenoisingRegressor` and
`ReconstructionOutlierDetector` with skl2onnx, whose ``to_onnx`` then converts pipelines
that hold them. Needs the packages of ``skae[onnx]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skae._denoiser import DenoisingRegressor
from skae._detector import ReconstructionOutlierDetector
from skae._transformer import AutoencoderTransformer
from skae._validation import check_is_fitted, needs

with needs("skae[onnx]", "skae.onnx"):
    import skl2onnx
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
    )

    from skae.onnx._nodes import Graph, run
    from skae.onnx._rows import errors, scaled, stacks, unscaled

__all__: list[str] = []


# skl2onnx's name of the kind of operator.
_TRANSFORMER, _DENOISER, _DETECTOR = "SkaeTransformer", "SkaeDenoiser", "SkaeDetector"


def _is_single(operator: Any) -> bool:
    """Return whether rows come in as float32: what else is computed in float64."""
    return all(isinstance(one.type, FloatTensorType) for one in operator.inputs)


def _graph_of(scope: Any, operator: Any, container: Any) -> Graph:
    """Return the graph that computes in the type of the rows."""
    dtype = np.float32 if _is_single(operator) else np.float64
    return Graph(scope, container, dtype)


def _rows_of(graph: Graph, operator: Any) -> str:
    """Return the rows of an operator's inputs, which may be one for each column."""
    columns = [graph.cast(one.full_name) for one in operator.inputs]
    return columns[0] if len(columns) == 1 else graph("Concat", *columns, axis=1)


def _set_row_shape(operator: Any, shape: tuple[int, ...]) -> None:
    """Set type and shape of an output of rows."""
    kind = FloatTensorType if _is_single(operator) else DoubleTensorType
    n = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = kind([n, *shape])


# --------------------------------------------------------- transformer and denoiser


def _set_code_shape(operator: Any) -> None:
    """Set type and shape of codes."""
    _set_row_shape(operator, (operator.raw_operator.n_components_,))


def _convert_transformer(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of an `AutoencoderTransformer`."""
    graph = _graph_of(scope, operator, container)
    autoencoder = operator.raw_operator.autoencoder_
    rows = scaled(graph, autoencoder, _rows_of(graph, operator))
    encoder, _ = stacks(autoencoder)
    graph.name(run(graph, encoder, rows.inputs), operator.outputs[0])


def _set_target_shape(operator: Any) -> None:
    """Set type and shape of predictions."""
    check_is_fitted(operator.raw_operator)
    autoencoder = operator.raw_operator.autoencoder_
    _set_row_shape(operator, autoencoder.architecture.output_shape)


def _convert_denoiser(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a `DenoisingRegressor`."""
    graph = _graph_of(scope, operator, container)
    autoencoder = operator.raw_operator.autoencoder_
    rows = scaled(graph, autoencoder, _rows_of(graph, operator))
    encoder, decoder = stacks(autoencoder)
    output = run(graph, [*encoder, *decoder], rows.inputs)
    graph.name(unscaled(graph, autoencoder, output), operator.outputs[0])


skl2onnx.update_registered_converter(
    AutoencoderTransformer, _TRANSFORMER, _set_code_shape, _convert_transformer
)
skl2onnx.update_registered_converter(
    DenoisingRegressor, _DENOISER, _set_target_shape, _convert_denoiser
)


# ------------------------------------------------------------------------- detector


def _parse_detector(
    scope: Any, detector: Any, inputs: list[Any], custom_parsers: Any = None
) -> list[Any]:
    """Return the outputs of a detector: those of skl2onnx's IsolationForest."""
    check_is_fitted(detector)
    operator = scope.declare_local_operator(_DETECTOR, detector)
    operator.inputs = inputs
    outputs = {"label": Int64TensorType(), "scores": DoubleTensorType()}
    if scope.get_options(detector, {"score_samples": False})["score_samples"]:
        outputs["score_samples"] = DoubleTensorType()
    for name, kind in outputs.items():
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def _set_score_shapes(operator: Any) -> None:
    """Set the shapes of labels and scores."""
    n = operator.inputs[0].get_first_dimension()
    for output in operator.outputs:
        output.type.shape = [n, 1]


def _convert_detector(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a `ReconstructionOutlierDetector`."""
    detector, graph = operator.raw_operator, _graph_of(scope, operator, container)
    scorer, wide = detector._scorer, graph.of(np.float64)
    if scorer.kind.values == "nearest":  # which skae computes in float64 throughout
        graph = wide
    scores = wide("Neg", errors(graph, scorer, _rows_of(graph, operator)))
    decision = wide("Sub", scores, detector.offset_)
    labels = wide("Where", wide("GreaterOrEqual", decision, 0.0), 1, -1)
    for value, output in zip(
        (labels, decision, scores), operator.outputs, strict=False
    ):
        graph.name(value, output)


skl2onnx.update_registered_converter(
    ReconstructionOutlierDetector,
    _DETECTOR,
    _set_score_shapes,
    _convert_detector,
    parser=_parse_detector,
    options={"score_samples": [True, False]},
)

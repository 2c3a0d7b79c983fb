"""What a training cannot do: targets out of range, a loss that diverged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skae import _engine as engine
from skae._missing import extremes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skae._autoencoder._settings import Settings

_RANGE_TOLERANCE = 1e-6


def check_targets(
    settings: Settings,
    targets: Sequence[NDArray],
    allowed: tuple[float, float] | None,
) -> None:
    """Raise a ValueError where the network or the loss cannot meet the targets."""
    network = settings.network
    is_bounded = allowed not in (None, (-np.inf, np.inf))
    is_probability = engine.reads_probabilities(settings.loss)
    if not (is_bounded or is_probability):
        return
    lows, highs = zip(*map(extremes, targets), strict=True)
    seen = float(np.fmin.reduce(lows)), float(np.fmax.reduce(highs))
    if allowed is not None:
        _check_range(seen, allowed, f"network {network!r} gives values", settings)
    if not is_probability:
        return
    _check_range(seen, (0.0, 1.0), f"loss {settings.loss!r} needs values", settings)
    is_logit = getattr(settings.loss, "from_logits", False)
    if allowed is None or is_logit or (allowed[0] >= 0 and allowed[1] <= 1):
        return
    advice = "Use output_activation='sigmoid'."
    if not network.draws_weights:
        advice = "Let its last layer have the activation 'sigmoid'."
    raise ValueError(
        f"loss {settings.loss!r} needs outputs in [0, 1], but network {network!r} "
        f"gives outputs in [{allowed[0]:g}, {allowed[1]:g}]. {advice}"
    )


def _check_range(
    seen: tuple[float, float],
    allowed: tuple[float, float],
    subject: str,
    settings: Settings,
) -> None:
    """Raise a ValueError where targets lie outside a range."""
    low, high = allowed[0] - _RANGE_TOLERANCE, allowed[1] + _RANGE_TOLERANCE
    if low <= seen[0] and seen[1] <= high:
        return
    advice = "Use scaler='minmax'"
    if settings.scaler == "minmax":  # only a training that continues gets here
        advice = "Let the first rows, which fix the scaler, span the data's range"
    unbounded = "output_activation=None"
    if not settings.network.draws_weights:
        unbounded = "no activation in its last layer"
    raise ValueError(
        f"{subject} in [{allowed[0]:g}, {allowed[1]:g}], but the data after "
        f"scaling (scaler={settings.scaler!r}) range from {seen[0]:.4g} to "
        f"{seen[1]:.4g}. {advice}, or an unbounded output ({unbounded}) with "
        "loss='mse'."
    )


def divergence_message(
    exc: engine.TrainingDivergedError, settings: Settings, table: Any
) -> str:
    """Return what to tell a user whose training diverged."""
    last = ""
    if exc.last_finite is not None:
        last = f" (last finite value {exc.last_finite:.4g})"
    low, high = extremes(table.X)
    ranges = [f"X ranges from {low:.3g} to {high:.3g}"]
    if table.y is not None:
        low, high = extremes(table.y)
        ranges.append(f"y from {low:.3g} to {high:.3g}")
    knob = "learning_rate"
    if not isinstance(settings.optimizer, str):
        knob = "the optimizer's learning rate"
    advice = f"lower {knob} (now {exc.learning_rate:g})"
    if settings.scaler is None:
        advice = f"use scaler='standard', or {advice}"
    return (
        f"Training diverged: the {exc.name} became {exc.value} in epoch "
        f"{exc.epoch}{last}. {', '.join(ranges)}; {advice}."
    )

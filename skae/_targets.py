"""What the network and the loss demand of the targets, checked before training."""

from skae import _engine as engine
from skae._missing import extremes

_RANGE_TOLERANCE = 1e-6


def check_targets(settings, allowed, targets):
    """Raise a ValueError where the network or the loss cannot meet the targets.

    ``allowed`` is the range of the network's output, None where it is unknown.
    """
    network = settings.network
    seen = tuple(map(float, extremes(targets)))
    if allowed is not None:
        _check_range(seen, allowed, f"network {network!r} gives values", settings)
    if engine.reads_probabilities(settings.loss):
        _check_range(seen, (0.0, 1.0), f"loss {settings.loss!r} needs values", settings)
        _check_probabilities(settings, network, allowed)


def _check_probabilities(settings, network, allowed):
    """Raise a ValueError where outputs may be no probabilities, as the loss has it."""
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


def _check_range(seen, allowed, subject, settings):
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

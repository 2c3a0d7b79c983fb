"""Users' own Keras models, and what may stand as an estimator's ``network``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skae._validation import InvalidParameterError
from skae.networks._base import Network


class CannotDescribeError(TypeError):
    """The digest of an object cannot be taken."""


@dataclass(frozen=True)
class ResolvedNetwork:
    """A network, and the loss and optimizer of a SciKeras wrapper if it sets them."""

    network: Network
    loss: Any = None  # None: the estimator's
    optimizer: Any = None


def as_network(value: Any, owner: str = "an estimator") -> ResolvedNetwork:
    """Return the network that the parameter ``network`` of an estimator stands for."""
    if value is None:
        from skae.networks._dense import DenseNetwork

        return ResolvedNetwork(DenseNetwork())
    if isinstance(value, Network):
        return ResolvedNetwork(value)

    # Imported here: it brings all that wraps Keras models.
    from skae.networks._keras._scikeras import from_scikeras, is_scikeras_wrapper

    if is_scikeras_wrapper(value):
        return ResolvedNetwork(*from_scikeras(value))

    advice = "Pass DenseNetwork(), ConvNetwork(), RecurrentNetwork() or KerasNetwork()."
    if isinstance(value, type) and issubclass(value, Network):
        advice = f"Pass an instance, {value.__name__}()."
    elif callable(value):
        advice = "Wrap a Keras model, class or function: KerasNetwork(...)."
    raise InvalidParameterError(
        f"The 'network' parameter of {owner} must be a network description, a SciKeras "
        f"wrapper or None. Got {value!r} instead. {advice}"
    )

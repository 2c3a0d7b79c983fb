"""What may stand as an estimator's ``network``, turned into one form at the door."""

from dataclasses import dataclass
from typing import Any

from skae._validation import InvalidParameterError
from skae.networks._base import Network
from skae.networks._dense import DenseNetwork


@dataclass(frozen=True)
class Wanted:
    """A network, and what it wins over the estimator.

    Attributes
    ----------
    network : Network

    loss, optimizer : object or None
        What a SciKeras wrapper sets; None leaves the estimator's.
    """

    network: Any
    loss: Any = None
    optimizer: Any = None


def as_network(value, owner="an estimator"):
    """Return what an estimator's parameter ``network`` stands for.

    Parameters
    ----------
    value : Network, SciKeras wrapper or None
        None is ``DenseNetwork()``.

    owner : str, default="an estimator"
        Who is asked, for the message.

    Returns
    -------
    wanted : Wanted

    Raises
    ------
    InvalidParameterError
        Where it is none of these.
    """
    if value is None:
        return Wanted(DenseNetwork())
    if isinstance(value, Network):
        return Wanted(value)

    # Here: it brings all that wraps Keras models.
    from skae.networks._scikeras import from_scikeras, is_scikeras_wrapper

    if is_scikeras_wrapper(value):
        return Wanted(*from_scikeras(value))

    advice = "Pass DenseNetwork(), ConvNetwork(), RecurrentNetwork() or KerasNetwork()."
    if isinstance(value, type) and issubclass(value, Network):
        advice = f"Pass an instance, {value.__name__}()."
    elif callable(value):
        advice = "Wrap a Keras model, class or function: KerasNetwork(...)."
    raise InvalidParameterError(
        f"The 'network' parameter of {owner} must be a network description, a SciKeras "
        f"wrapper or None. Got {value!r} instead. {advice}"
    )

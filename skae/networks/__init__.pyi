from skae.networks._base import Built, Network
from skae.networks._conv import ConvNetwork
from skae.networks._dense import DenseNetwork
from skae.networks._keras import as_network
from skae.networks._keras._copies import describe_model
from skae.networks._keras._network import KerasNetwork
from skae.networks._keras._parts import output_range_of
from skae.networks._quiet import import_quietly, without_chatter
from skae.networks._recurrent import RecurrentNetwork
from skae.networks._variational import VariationalNetwork

__all__ = [
    "Built",
    "ConvNetwork",
    "DenseNetwork",
    "KerasNetwork",
    "Network",
    "RecurrentNetwork",
    "VariationalNetwork",
    "as_network",
    "describe_model",
    "import_quietly",
    "output_range_of",
    "without_chatter",
]

"""Descriptions of networks: what to build, never how to train it."""

from skae.networks._activations import numpy_activation
from skae.networks._base import Built, Network
from skae.networks._conv import ConvNetwork
from skae.networks._dense import DenseNetwork
from skae.networks._keras_instances import describe_model
from skae.networks._keras_network import KerasNetwork
from skae.networks._output_range import output_range_of
from skae.networks._plans import DensePlan, StackPlan
from skae.networks._quiet import import_quietly, without_chatter
from skae.networks._recurrent import RecurrentNetwork
from skae.networks._resolve import as_network
from skae.networks._variational import VariationalNetwork

__all__ = [
    "Built",
    "ConvNetwork",
    "DenseNetwork",
    "DensePlan",
    "KerasNetwork",
    "Network",
    "RecurrentNetwork",
    "StackPlan",
    "VariationalNetwork",
    "as_network",
    "describe_model",
    "import_quietly",
    "numpy_activation",
    "output_range_of",
    "without_chatter",
]

from skae.networks._activations import numpy_activation
from skae.networks._base import Built, Network
from skae.networks._conv import ConvNetwork
from skae.networks._dense import DenseNetwork
from skae.networks._keras import as_network
from skae.networks._keras._copies import describe_model
from skae.networks._keras._network import KerasNetwork
from skae.networks._keras._parts import output_range_of
from skae.networks._numpy_maps import largest, repeat, to_maps, to_rows
from skae.networks._plans import (
    ConvolutionPlan,
    DensePlan,
    MapPlan,
    PoolPlan,
    RepeatPlan,
    RowsPlan,
    StackPlan,
)
from skae.networks._products import multiply, multiply_rows
from skae.networks._quiet import import_quietly, without_chatter
from skae.networks._recurrent import RecurrentNetwork
from skae.networks._variational import VariationalNetwork

__all__ = [
    "Built",
    "ConvNetwork",
    "ConvolutionPlan",
    "DenseNetwork",
    "DensePlan",
    "KerasNetwork",
    "MapPlan",
    "Network",
    "PoolPlan",
    "RecurrentNetwork",
    "RepeatPlan",
    "RowsPlan",
    "StackPlan",
    "VariationalNetwork",
    "as_network",
    "describe_model",
    "import_quietly",
    "largest",
    "multiply",
    "multiply_rows",
    "numpy_activation",
    "output_range_of",
    "repeat",
    "to_maps",
    "to_rows",
    "without_chatter",
]

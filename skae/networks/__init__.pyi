from skae.networks._base import Built as Built
from skae.networks._base import Network as Network
from skae.networks._conv import ConvNetwork as ConvNetwork
from skae.networks._dense import DenseNetwork as DenseNetwork
from skae.networks._keras._network import KerasNetwork as KerasNetwork
from skae.networks._recurrent import RecurrentNetwork as RecurrentNetwork
from skae.networks._variational import VariationalNetwork as VariationalNetwork

"""What NumPy runs and trains without Keras: stacks of layers, in plain words.

Dense layers take and give rows, arrays of shape (n, n_values). The layers of
convolutional networks take and give maps, of shape (channels, *lengths, n); see
``_windows``.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from skae.networks._phases import Phases
from skae.networks._windows import Windows


@dataclass(frozen=True)
class LayerPlan:
    """Base of the layers' plans: a layer that has nothing to learn.

    Plans of layers that train have ``output_shape(n)``, for n rows.
    """

    #: Names and shapes of the variables of Keras's layer, in its order.
    variables = ()
    #: Multiplications that one row takes, beside those of the activation.
    n_products = 0
    #: Numbers in the windows of one row.
    n_windowed = 0
    #: Keras name of the activation, which comes last; None is linear.
    activation = None


@dataclass(frozen=True)
class DensePlan(LayerPlan):
    """One dense layer.

    Attributes
    ----------
    name : str
        Name of Keras's layer.

    n_in, n_out : int

    activation : str or None
    """

    name: str
    n_in: int
    n_out: int
    activation: str | None = None

    @property
    def variables(self):
        """Names and shapes of kernel and bias."""
        return ("kernel", (self.n_in, self.n_out)), ("bias", (self.n_out,))

    @property
    def n_products(self):
        """Multiplications that one row takes: as many as there are weights."""
        return self.n_in * self.n_out + self.n_out

    def output_shape(self, n):
        """Return the shape of n rows."""
        return n, self.n_out


@dataclass(frozen=True)
class MapPlan(LayerPlan):
    """Rows become maps.

    Attributes
    ----------
    shape : tuple of int
        Of one row as Keras has it: (*lengths, channels).
    """

    shape: tuple

    def output_shape(self, n):
        """Return the shape of n rows' maps."""
        return self.shape[-1], *self.shape[:-1], n


@dataclass(frozen=True)
class RowsPlan(LayerPlan):
    """Maps become rows.

    Attributes
    ----------
    shape : tuple of int
        Of one row as Keras has it: (*lengths, channels).

    activation : str or None
        Of what gave the maps, where it is applied to rows.
    """

    shape: tuple
    activation: str | None = None

    def output_shape(self, n):
        """Return the shape of n rows."""
        return n, prod(self.shape)


@dataclass(frozen=True)
class ConvolutionPlan(LayerPlan):
    """A convolution, or a transposed one, that pads as TensorFlow's "SAME" does.

    Attributes
    ----------
    name : str
        Name of Keras's layer.

    n_in, n_out : int
        Numbers of channels.

    lengths, out_lengths : tuple of int
        Of the maps that come in and go out. A transposed convolution gives maps of
        ``stride`` times the lengths, which are cut at their ends.

    kernel_size, stride : int

    transposed : bool

    activation : str or None
    """

    name: str
    n_in: int
    n_out: int
    lengths: tuple
    out_lengths: tuple
    kernel_size: int
    stride: int
    transposed: bool
    activation: str | None = None

    @property
    def variables(self):
        """Names and shapes of kernel and bias."""
        lengths = (self.kernel_size,) * len(self.lengths)
        channels = self.n_in, self.n_out
        channels = channels[::-1] if self.transposed else channels
        return ("kernel", (*lengths, *channels)), ("bias", (self.n_out,))

    @property
    def n_products(self):
        """Multiplications that one row takes."""
        size = self.kernel_size ** len(self.lengths)
        places = min(prod(self.lengths), prod(self.out_lengths))
        return size * places * self.n_in * self.n_out

    @property
    def n_windowed(self):
        """Numbers in the windows of one row."""
        n_channels = self.n_out if self.spreads else self.n_in
        return prod(self.windows.columns_shape(n_channels, 1))

    @property
    def spreads(self):
        """Whether windows are of the output: every value in is spread over one.

        Otherwise they are of the input, and every value out sees one of them. A
        convolution of stride 1 is both: what moves the fewer channels is faster.
        """
        return self.transposed or (self.stride == 1 and self.n_out < self.n_in)

    @cached_property
    def windows(self):
        """The windows of the output where values spread, else of the input."""
        if self.transposed:
            whole = tuple(self.stride * length for length in self.lengths)
            size, stride = self.kernel_size, self.stride
            return Windows.same(whole, size, stride, self.out_lengths)
        if not self.spreads:
            return Windows.same(self.lengths, self.kernel_size, self.stride)
        after = (self.kernel_size // 2,) * len(self.lengths)  # as far as "SAME" goes
        return Windows(self.lengths, self.lengths, self.kernel_size, 1, after)

    @cached_property
    def phases(self):
        """How places give windows that overlap, the faster way; None is ``scatter``."""
        return Phases(*self.windows.geometry) if self.stride > 1 else None

    def by_windows(self, kernel):
        """Return a view of a kernel: (*a window's axes and channels, other channels).

        The windows' channels are those of the output where values spread.
        """
        if self.transposed or not self.spreads:
            return kernel
        axes = tuple(range(len(self.lengths)))
        return np.flip(kernel, axes).swapaxes(-1, -2)

    def output_shape(self, n):
        """Return the shape of n rows' maps."""
        return self.n_out, *self.out_lengths, n


@dataclass(frozen=True)
class PoolPlan(LayerPlan):
    """The largest of two neighbours along every axis; lengths are rounded up.

    Attributes
    ----------
    n_channels : int

    lengths : tuple of int
        Of the maps that come in.
    """

    n_channels: int
    lengths: tuple

    @cached_property
    def windows(self):
        """The neighbours."""
        return Windows.same(self.lengths, 2, 2)

    def output_shape(self, n):
        """Return the shape of n rows' maps."""
        return self.windows.columns_shape(self.n_channels, n)[1:]


@dataclass(frozen=True)
class RepeatPlan(LayerPlan):
    """Every value twice along every axis; ends may be cut.

    Attributes
    ----------
    n_channels : int

    lengths, out_lengths : tuple of int
        Of the maps that come in and go out.
    """

    n_channels: int
    lengths: tuple
    out_lengths: tuple

    @cached_property
    def windows(self):
        """Where each value's copies go in the output."""
        before = (0,) * len(self.lengths)
        return Windows(self.out_lengths, self.lengths, 2, 2, before)

    def output_shape(self, n):
        """Return the shape of n rows' maps."""
        return self.n_channels, *self.out_lengths, n


@dataclass(frozen=True)
class NormalizationPlan(LayerPlan):
    """A normalisation of rows, or of maps over their channels.

    Attributes
    ----------
    kind : {"batch", "layer"}

    of_maps : bool
        Whether it is of maps.

    activation : str or None
    """

    kind: str
    of_maps: bool
    activation: str | None = None


@dataclass(frozen=True)
class StackPlan:
    """Layers, one after the other, from flat rows to flat rows.

    Attributes
    ----------
    layers : tuple of LayerPlan
        Of encoder, then decoder; the Keras model has the variables of each, in order.

    latent_shape : tuple of int
        Shape of one code, before it is flattened.
    """

    layers: tuple
    latent_shape: tuple

    @property
    def is_dense(self):
        """Whether all layers are dense."""
        return all(isinstance(layer, DensePlan) for layer in self.layers)

    @property
    def n_products(self):
        """Multiplications that one row takes."""
        return sum(layer.n_products for layer in self.layers)

    @property
    def n_windowed(self):
        """Numbers in the windows of one row, where they are most."""
        return max(layer.n_windowed for layer in self.layers)

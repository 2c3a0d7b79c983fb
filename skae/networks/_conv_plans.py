"""What a convolutional network is made of, for NumPy."""

from math import prod

from skae.networks._plans import (
    ConvolutionPlan,
    DensePlan,
    MapPlan,
    NormalizationPlan,
    PoolPlan,
    RepeatPlan,
    RowsPlan,
)


def halved(lengths, n_stages):
    """Return the lengths of the axes of a map, then after each halving."""
    found = [tuple(lengths)]
    for _ in range(n_stages):
        found.append(tuple(-(-length // 2) for length in found[-1]))
    return found


def encoder_plans(network, shape, latent_dim):
    """Return the plans of an encoder's layers, from rows to rows.

    Parameters
    ----------
    network : ConvNetwork

    shape : tuple of int
        Of one row inside the network.

    latent_dim : int or None
    """
    *lengths, n_channels = shape
    lengths = halved(lengths, len(network.filters))
    plans = [MapPlan(tuple(shape))]
    stride = 2 if network.down == "stride" else 1
    for i, n in enumerate(map(int, network.filters)):
        is_code = latent_dim is None and i == len(network.filters) - 1
        after = lengths[i + 1] if stride == 2 else lengths[i]
        plans += _activated(
            network,
            ConvolutionPlan,
            (f"conv_{i}", n_channels, n, lengths[i], after),
            (int(network.kernel_size), stride, False),
            is_last=is_code,
            activation=network.latent_activation if is_code else network.activation,
        )
        if stride == 1:
            plans.append(PoolPlan(n, lengths[i]))
        n_channels = n
    shape = *lengths[-1], n_channels
    plans.append(RowsPlan(shape))
    if latent_dim is not None:
        n_values, width = prod(shape), int(latent_dim)
        plans.append(DensePlan("latent", n_values, width, network.latent_activation))
    return plans


def decoder_plans(network, shape, latent_dim):
    """Return the plans of a decoder's layers, from rows to rows of this shape.

    Parameters
    ----------
    network : ConvNetwork

    shape : tuple of int
        Of one row inside the network.

    latent_dim : int or None
    """
    *lengths, n_output = shape
    lengths = halved(lengths, len(network.filters))
    n_channels, size = int(network.filters[-1]), int(network.kernel_size)
    code_shape = *lengths[-1], n_channels
    plans = []
    if latent_dim is not None:
        sizes = "hidden", int(latent_dim), prod(code_shape)
        plans += _activated(
            network, DensePlan, sizes, (), activation=network.activation
        )
    plans.append(MapPlan(code_shape))
    is_transposed = network.up == "transpose"
    for i in reversed(range(len(network.filters))):
        n, inner = int(network.filters[i]), lengths[i + 1]
        after = lengths[i] if is_transposed else inner
        plans += _activated(
            network,
            ConvolutionPlan,
            (f"up_{i}", n_channels, n, inner, after),
            (size, 2 if is_transposed else 1, is_transposed),
            activation=network.activation,
        )
        if not is_transposed:
            plans.append(RepeatPlan(n, inner, lengths[i]))
        n_channels = n
    output = "output", n_channels, int(n_output), lengths[0], lengths[0], size, 1, False
    return [
        *plans,
        ConvolutionPlan(*output),
        RowsPlan(tuple(shape), network.output_activation),
    ]


def joined(encoder, decoder):
    """Return the layers of encoder and decoder; maps between them stay maps."""
    if isinstance(encoder[-1], RowsPlan):
        return *encoder[:-1], *decoder[1:]
    return *encoder, *decoder


def _activated(network, kind, sizes, options, *, activation, is_last=False):
    """Return the plans of a layer with its normalisation, if hidden, and activation."""
    normalization = None if is_last else network.normalization
    if normalization is None:
        return [kind(*sizes, *options, activation)]
    of_maps = kind is ConvolutionPlan
    return [
        kind(*sizes, *options),
        NormalizationPlan(normalization, of_maps, activation),
    ]

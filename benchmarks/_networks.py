"""The tutorials' networks in skae's words; ``_keras_networks`` has them in Keras's."""

from skae import ConvNetwork, DenseNetwork


def dense(*hidden_units, latent_activation="relu", activity_l1=0.0):
    """Return dense layers with an output in (0, 1)."""
    return DenseNetwork(
        hidden_units=hidden_units,
        activation="relu",
        latent_activation=latent_activation,
        output_activation="sigmoid",
        activity_l1=activity_l1,
    )


def conv(filters, *, down, up):
    """Return convolutions of 3 x 3, one per stage, a ReLU code, an output in (0, 1)."""
    return ConvNetwork(
        filters=filters,
        kernel_size=3,
        down=down,
        up=up,
        activation="relu",
        latent_activation="relu",
        output_activation="sigmoid",
    )


CONV_SMALL = conv((16, 8, 8), down="max_pool", up="upsample")
CONV = conv((32, 32), down="max_pool", up="transpose")
CONV_STRIDED = conv((16, 8), down="stride", up="transpose")

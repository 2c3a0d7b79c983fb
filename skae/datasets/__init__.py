"""Data to try autoencoders on: three recorded sets and a generator.

The ``fetch_`` functions download a set the first time and keep it in the data home:
the argument `data_home`, else the environment variable ``SKAE_DATA``, else
``~/skae_data``. :func:`make_heartbeats` needs no download.
"""

from skae.datasets._heartbeats import make_heartbeats
from skae.datasets._recorded import fetch_ecg5000, fetch_fashion_mnist, fetch_mnist

__all__ = ["fetch_ecg5000", "fetch_fashion_mnist", "fetch_mnist", "make_heartbeats"]


def __dir__() -> list[str]:
    """List the public names."""
    return __all__

"""Corruptions: processes that damage inputs, so that a network learns to repair them.

A corruption is written once, against the few operations that ``apply`` is handed, and
runs in TensorFlow and in NumPy. It acts in scaled space.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, log
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from skae._missing import extremes, filled_inputs, has_missing
from skae._validation import Interval, with_nan

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Corruption",
    "GaussianNoise",
    "MaskingNoise",
    "SaltAndPepperNoise",
    "SwapNoise",
    "corrupt",
]

_FRACTION = [Interval(Real, 0, 1, closed="both")]
_LARGEST = 1e15  # noise whose squares are finite in float32


def __dir__() -> list[str]:
    return __all__


class Corruption(BaseEstimator, metaclass=ABCMeta):
    """Base class of the corruptions.

    To write a corruption, inherit from this class, give it ``_parameter_constraints``,
    and define ``apply``.

    Attributes
    ----------
    needs_extremes : bool
        Class attribute: whether ``apply`` reads ``draw.low`` and ``draw.high``, which
        cost a pass over the training rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.corruptions import Corruption, corrupt
    >>> class Dimmed(Corruption):
    ...     def apply(self, x, draw):
    ...         return x * draw.uniform_per_row(x)
    >>> corrupt(Dimmed(), np.ones((3, 4)), seed=0).std(axis=1).tolist()
    [0.0, 0.0, 0.0]
    """

    _doc_link_module = "skae"  # scikit-learn's site has no pages of these
    _doc_link_template = ""

    needs_extremes = False

    def check(self) -> None:
        """Raise a ValueError for parameters that no constraint table can express."""

    @abstractmethod
    def apply(self, x: Any, draw: Any) -> Any:
        """Return a damaged copy of ``x``.

        Parameters
        ----------
        x : array or tensor of shape (n, *shape)
            Rows in scaled space.
        draw : object
            ``draw.normal(x)`` and ``draw.uniform(x)`` have x's shape,
            ``draw.uniform_per_row(x)`` has one value per row, ``draw.other_rows(x)``
            takes every entry from the same feature of a random training row,
            ``draw.low`` and ``draw.high`` are the training rows' smallest and largest
            value of each feature; ``draw.where``, ``draw.clip`` and ``draw.exp`` are
            NumPy's.

        Returns
        -------
        damaged : array or tensor of shape (n, *shape)
            In x's dtype.
        """


class GaussianNoise(Corruption):
    r"""Add normally distributed noise.

    The noise of the denoising tutorials, and the one to begin with.

    Read more in the :doc:`User Guide </guide/denoiser>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    std : float or tuple of two floats, default=0.1
        Standard deviation, in scaled space. A range ``(low, high)`` with 0 < low < high
        draws one value per row, log-uniformly.
    clip : tuple of two floats or None, default=None
        Bounds, in scaled space, to which the damaged values are clipped; ``(0, 1)`` for
        images in [0, 1].

    Notes
    -----
    :math:`\tilde x = x + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)` [1]_.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. and Manzagol, P.-A.
       (2010). Stacked denoising autoencoders. JMLR 11:3371-3408.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.corruptions import GaussianNoise, corrupt
    >>> X = np.zeros((1000, 4))
    >>> bool(abs(corrupt(GaussianNoise(0.5), X, seed=0).std() - 0.5) < 0.05)
    True
    """

    _parameter_constraints = {
        "std": [Interval(Real, 0, _LARGEST, closed="both"), tuple, list],
        "clip": [tuple, list, None],
    }

    def __init__(
        self,
        std: float | tuple[float, float] | list[float] = 0.1,
        clip: tuple[float, float] | list[float] | None = None,
    ) -> None:
        self.std = std
        self.clip = clip

    def check(self) -> None:
        """Raise a ValueError where a range is not two growing numbers."""
        if isinstance(self.std, (tuple, list)):
            _check_range("std", self.std, 0, _LARGEST)
        if self.clip is not None:
            _check_range("clip", self.clip)

    @property
    def mean_variance(self) -> float:
        """Mean variance of the noise, over rows."""
        if not isinstance(self.std, (tuple, list)):
            return float(self.std) ** 2
        low, high = self.std  # uniform in the logarithm
        return (high**2 - low**2) / (2 * log(high / low)) if high > low else low**2

    def apply(self, x: Any, draw: Any) -> Any:
        """Return ``x`` with noise added.

        Parameters
        ----------
        x : array or tensor of shape (n, *shape)
            Rows in scaled space.
        draw : object
            What randomness comes from, as in `Corruption`.

        Returns
        -------
        damaged : array or tensor of shape (n, *shape)
            Rows in x's dtype.
        """
        # Python's floats: they keep x's dtype, which NumPy's would not.
        if isinstance(self.std, (tuple, list)):
            low, high = map(log, self.std)
            std = draw.exp(low + (high - low) * draw.uniform_per_row(x))
        else:
            std = float(self.std)
        noisy = x + std * draw.normal(x)
        return noisy if self.clip is None else draw.clip(noisy, *map(float, self.clip))


class MaskingNoise(Corruption):
    """Set entries to zero, each with the same probability.

    Zero in scaled space is the mean under ``scaler="standard"``. The corruption of the
    first denoising autoencoders [1]_.

    Read more in the :doc:`User Guide </guide/denoiser>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    fraction : float, default=0.25
        Probability that an entry is set to zero, in [0, 1].

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y. and Manzagol, P.-A. (2008).
       Extracting and composing robust features with denoising autoencoders. ICML.
       :doi:`10.1145/1390156.1390294`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.corruptions import MaskingNoise, corrupt
    >>> damaged = corrupt(MaskingNoise(0.25), np.ones((1000, 4)), seed=0)
    >>> bool(0.2 < (damaged == 0).mean() < 0.3)
    True
    """

    _parameter_constraints = {"fraction": _FRACTION}

    def __init__(self, fraction: float = 0.25) -> None:
        self.fraction = fraction

    def apply(self, x: Any, draw: Any) -> Any:
        """Return ``x`` with entries set to zero.

        Parameters
        ----------
        x : array or tensor of shape (n, *shape)
            Rows in scaled space.
        draw : object
            What randomness comes from, as in `Corruption`.

        Returns
        -------
        damaged : array or tensor of shape (n, *shape)
            Rows in x's dtype.
        """
        return draw.where(draw.uniform(x) < float(self.fraction), 0.0, x)


class SaltAndPepperNoise(Corruption):
    """Set entries to the smallest or the largest value of their feature.

    Read more in the :doc:`User Guide </guide/denoiser>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    fraction : float, default=0.25
        Probability that an entry is replaced, in [0, 1]; half of the replaced ones
        become the feature's smallest training value and half its largest. A feature is
        a column of 2-D X, and a channel (last axis) of images and series.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y. and Manzagol, P.-A.
       (2010). Stacked denoising autoencoders. JMLR 11:3371-3408.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.corruptions import SaltAndPepperNoise, corrupt
    >>> X = np.linspace(0, 1, 1000).reshape(-1, 1)
    >>> np.unique(corrupt(SaltAndPepperNoise(1.0), X, seed=0)).tolist()
    [0.0, 1.0]
    """

    _parameter_constraints = {"fraction": _FRACTION}
    needs_extremes = True

    def __init__(self, fraction: float = 0.25) -> None:
        self.fraction = fraction

    def apply(self, x: Any, draw: Any) -> Any:
        """Return ``x`` with entries set to an extreme.

        Parameters
        ----------
        x : array or tensor of shape (n, *shape)
            Rows in scaled space.
        draw : object
            What randomness comes from, as in `Corruption`.

        Returns
        -------
        damaged : array or tensor of shape (n, *shape)
            Rows in x's dtype.
        """
        u, fraction = draw.uniform(x), float(self.fraction)
        extreme = draw.where(u < fraction / 2, draw.low, draw.high)
        return draw.where(u < fraction, extreme, x)


class SwapNoise(Corruption):
    """Replace entries by the same feature's value in another training row.

    The corruption for tables: every damaged value is one that the feature really takes.
    The other row is drawn uniformly.

    Read more in the :doc:`User Guide </guide/denoiser>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    fraction : float, default=0.15
        Probability that an entry is replaced, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skae.corruptions import SwapNoise, corrupt
    >>> X = np.arange(2000.0).reshape(-1, 2)
    >>> damaged = corrupt(SwapNoise(0.5), X, seed=0)
    >>> bool(np.isin(damaged[:, 0], X[:, 0]).all())
    True
    """

    _parameter_constraints = {"fraction": _FRACTION}

    def __init__(self, fraction: float = 0.15) -> None:
        self.fraction = fraction

    def apply(self, x: Any, draw: Any) -> Any:
        """Return ``x`` with entries taken from other rows.

        Parameters
        ----------
        x : array or tensor of shape (n, *shape)
            Rows in scaled space.
        draw : object
            What randomness comes from, as in `Corruption`.

        Returns
        -------
        damaged : array or tensor of shape (n, *shape)
            Rows in x's dtype.
        """
        return draw.where(draw.uniform(x) < float(self.fraction), draw.other_rows(x), x)


def corrupt(
    corruption: Corruption,
    X: NDArray,
    *,
    seed: int,
    training_rows: NDArray | None = None,
) -> NDArray:
    """Apply a corruption to an array in NumPy.

    Parameters
    ----------
    corruption : Corruption
        The process.
    X : ndarray of shape (n, *shape)
        Rows in scaled space. Missing entries (NaN) stay missing.
    seed : int
        Seed of the draws.
    training_rows : ndarray of shape (m, *shape), default=None
        Rows that extremes and swapped values come from. None means X.

    Returns
    -------
    damaged : ndarray of shape (n, *shape)
        In X's dtype.
    """
    X = with_nan(X)
    if len(X) == 0:  # no draws, and no extremes
        return X.copy()
    rows = X if training_rows is None else training_rows
    damaged = corruption.apply(X, NumpyDraw(np.random.default_rng(seed), rows))
    if has_missing(X, damaged):  # of another row, in the latter case
        damaged = filled_inputs(X, damaged, np.nan)
    return damaged.astype(X.dtype, copy=False)


@dataclass
class NumpyDraw:
    """The draws of ``Corruption.apply`` in NumPy, made in a dtype."""

    rng: np.random.Generator
    rows: np.ndarray  # for training: extremes and swapped values come from them
    extremes: tuple[np.ndarray, np.ndarray] | None = None  # None computes them
    dtype: Any = np.float64  # float32 takes half the time

    where = staticmethod(np.where)
    clip = staticmethod(np.clip)
    exp = staticmethod(np.exp)

    @property
    def low(self) -> np.ndarray:
        """Smallest training value of each feature."""
        return self._bounds[0]

    @property
    def high(self) -> np.ndarray:
        """Largest training value of each feature."""
        return self._bounds[1]

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Both extremes."""
        return self.extremes or feature_extremes(self.rows)

    def normal(self, x: np.ndarray) -> np.ndarray:
        """Return standard normal draws of x's shape."""
        drawn = self.rng.standard_normal(x.shape, self.dtype)
        return drawn.astype(x.dtype, copy=False)

    def uniform(self, x: np.ndarray) -> np.ndarray:
        """Return draws from [0, 1) of x's shape."""
        return self.rng.random(x.shape, self.dtype)

    def uniform_per_row(self, x: np.ndarray) -> np.ndarray:
        """Return one draw from [0, 1) per row, shaped to multiply x."""
        return self.rng.random((len(x),) + (1,) * (x.ndim - 1), self.dtype)

    def other_rows(self, x: np.ndarray) -> np.ndarray:
        """Return x's entries taken from random training rows, feature by feature."""
        chosen = self.rng.integers(len(self.rows), size=x.shape)
        flat = self.rows.reshape(len(self.rows), -1)
        picked = np.take_along_axis(flat, chosen.reshape(len(x), -1), axis=0)
        return picked.reshape(x.shape)


def feature_extremes(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest observed values per column, or channel."""
    return extremes(X, axis=tuple(range(X.ndim - 1)))


def _check_range(
    name: str, bounds: Sequence[float], low_above: float = -inf, largest: float = inf
) -> None:
    """Raise a ValueError unless ``bounds`` is two growing numbers within limits."""
    are_numbers = all(isinstance(b, Real) and not isinstance(b, bool) for b in bounds)
    if not (
        are_numbers
        and len(bounds) == 2
        and low_above < bounds[0] < bounds[1] < inf
        and bounds[1] <= largest
    ):
        floor = "" if low_above == -inf else f"{low_above} < "
        limit = "" if largest == inf else f" <= {largest:g}"
        raise ValueError(
            f"The {name!r} parameter of GaussianNoise as a range must be two numbers "
            f"with {floor}low < high{limit}. Got {bounds!r} instead."
        )

"""Learning rates that change from step to step."""

import numpy as np

#: What ``learning_rate`` may be beside a number and None.
ONE_CYCLE = "one_cycle"

# One cycle rises to this many times the optimizer's own rate, during this share of the
# steps, from this share of the highest rate; and falls to that share of it.
_PEAK, _RISE, _START, _END = 8.0, 0.3, 0.04, 0.004


def step_rates(learning_rate, own, n_epochs, n_steps):
    r"""Return the learning rates of all steps of a training, or None.

    Parameters
    ----------
    learning_rate : float, "one_cycle" or None

    own : float
        The optimizer's own learning rate.

    n_epochs, n_steps : int
        Epochs, and steps of each.

    Returns
    -------
    rates : float32 ndarray of shape (n_epochs, n_steps) or None
        None: the rate does not change.

    Notes
    -----
    One cycle: half a cosine up, then half a cosine down, from step to step [1]_.

    References
    ----------
    .. [1] Smith, L. N. and Topin, N. (2019). Super-convergence: very fast training of
       neural networks using large learning rates. Proc. SPIE 11006.
       doi:10.1117/12.2520589
    """
    if learning_rate != ONE_CYCLE:
        return None
    done = (np.arange(n_epochs * n_steps) + 0.5) / (n_epochs * n_steps)
    up = _START + (1 - _START) * _half_cosine(done / _RISE)
    down = _END + (1 - _END) * (1 - _half_cosine((done - _RISE) / (1 - _RISE)))
    rates = own * _PEAK * np.where(done < _RISE, up, down)
    return rates.astype(np.float32).reshape(n_epochs, n_steps)


def _half_cosine(x):
    """Return what rises from 0 to 1 as x does."""
    return (1 - np.cos(np.pi * np.clip(x, 0, 1))) / 2

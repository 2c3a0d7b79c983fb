"""What every training checks before it begins, whatever it runs in."""

import numpy as np


def check_learning_rate(optimizer, learning_rate):
    """Raise a ValueError where a learning rate stands beside an instance."""
    if learning_rate is not None and not isinstance(optimizer, str):
        raise ValueError(
            f"learning_rate is {learning_rate!r}, but optimizer is an instance of "
            f"{type(optimizer).__name__}, which has its own learning rate. Set it "
            "there and leave learning_rate=None, or pass the optimizer's name."
        )


def check_optimizer_state(state, fresh, optimizer):
    """Raise a ValueError where a state is another optimizer's.

    Parameters
    ----------
    state, fresh : list of array-like
        What is kept, and what this optimizer begins with.

    optimizer : object
    """
    if [np.shape(value) for value in state] != [np.shape(value) for value in fresh]:
        raise ValueError(
            f"Training cannot continue: the optimizer is now {type(optimizer).__name__}"
            ", but the state that is kept is another's. Keep the optimizer, or begin "
            "anew with fit."
        )

"""The loss per epoch, as a display."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import StrOptions, validate_params
from skae.inspection._common import BLUE, DARK, VERMILION, own_or_new_axes

# From this ratio of the largest loss to the smallest on, log="auto" takes a log axis.
LOG_RATIO = 10


class LossCurveDisplay:
    """Loss per epoch, on the training rows and on the validation rows.

    Look at it to see whether training had converged when it stopped, and whether the
    network began to learn its training rows by heart: then the validation loss turns
    upwards while the training loss falls. It is best made with
    :meth:`from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    history : dict of list of float
        The losses per epoch, as in `estimator.history_`: `"loss"` and, where rows were
        held out, `"val_loss"`.
    restored : bool, default=True
        Whether the weights of the best epoch were kept, as estimators do that have
        `patience`. With `False` those of the last epoch were, and none is marked.

    Attributes
    ----------
    loss_line_ : matplotlib Line2D
        The training loss.
    val_loss_line_ : matplotlib Line2D or None
        The validation loss, `None` where there is none.
    kept_marker_ : matplotlib Line2D or None
        The mark at the epoch whose weights were kept, `None` where that is the last.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    ErrorHistogramDisplay : Reconstruction errors and the threshold on them.

    Examples
    --------
    >>> from skae.inspection import LossCurveDisplay
    >>> history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.7]}
    >>> display = LossCurveDisplay(history).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    >>> display.kept_marker_.get_label()
    'weights kept (epoch 2)'
    """

    def __init__(self, history, *, restored=True):
        self.history = history
        self.restored = restored

    @validate_params(
        {
            "log": ["boolean", StrOptions({"auto"})],
            "name": [str, None],
            "color": [str, tuple, None],
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, ax=None, *, log="auto", name=None, color=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        log : bool or "auto", default="auto"
            Whether the loss has a log axis; `"auto"` takes one where the largest loss
            is more than 10 times the smallest.
        name : str, default=None
            A name to put before the legend's entries, to compare several estimators on
            the same axes.
        color : matplotlib color, default=None
            One colour for both curves, the validation loss dashed; `None` gives each
            its own.

        Returns
        -------
        display : LossCurveDisplay
            This display.

        Raises
        ------
        ValueError
            Where `history` holds no loss.
        """
        from matplotlib.ticker import MaxNLocator

        losses = _check_history(self.history)
        ax = own_or_new_axes(ax, (6.0, 4.0))
        prefix = "" if name is None else f"{name}: "
        self.loss_line_ = _draw_curve(
            ax, losses["loss"], prefix + "training loss", color or BLUE, "-"
        )
        self.val_loss_line_ = None
        if "val_loss" in losses:
            self.val_loss_line_ = _draw_curve(
                ax,
                losses["val_loss"],
                prefix + "validation loss",
                color or VERMILION,
                "--",
            )
        self.kept_marker_ = None
        watched = losses.get("val_loss", losses["loss"])
        kept = int(np.argmin(watched)) + 1
        if self.restored and kept < len(losses["loss"]):
            (self.kept_marker_,) = ax.plot(
                [kept],
                [watched[kept - 1]],
                linestyle="none",
                marker="o",
                markersize=8,
                markerfacecolor="none",
                markeredgewidth=1.5,
                color=color or DARK,
                zorder=3,
                label=f"{prefix}weights kept (epoch {kept})",
            )
        if log is True or (log == "auto" and _spans(losses, LOG_RATIO)):
            ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend(loc="best", frameon=False)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log="auto", name=None, color=None):
        """Draw the loss curves of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Any of skae's estimators.
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        log : bool or "auto", default="auto"
            Whether the loss has a log axis; see :meth:`plot`.
        name : str, default=None
            A name to put before the legend's entries.
        color : matplotlib color, default=None
            One colour for both curves; see :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, already drawn.

        Raises
        ------
        NotFittedError
            Where `estimator` is not fitted.
        """
        check_is_fitted(estimator)
        display = cls(estimator.history_, restored=_restores_best(estimator))
        return display.plot(ax=ax, log=log, name=name, color=color)


def _restores_best(estimator):
    """Return whether the last training kept the weights of its best epoch.

    The passes of `partial_fit` do not, and they have no validation loss.
    """
    history = estimator.history_
    n_watched = len(history.get("val_loss", ()))
    if n_watched == 0 and estimator.validation_fraction is None:
        return estimator.patience is not None
    return estimator.patience is not None and n_watched == len(history["loss"])


def _check_history(history):
    """Return the losses as arrays, or raise where there is none to draw."""
    if len(history.get("loss", ())) == 0:
        raise ValueError(
            f"history must hold a 'loss' for one epoch or more, but it is {history!r}. "
            "Pass the history_ of a fitted estimator."
        )
    names = [name for name in ("loss", "val_loss") if len(history.get(name, ()))]
    return {name: np.asarray(history[name], dtype=np.float64) for name in names}


def _spans(losses, ratio):
    """Return whether all losses are positive and they span more than `ratio`."""
    together = np.concatenate(list(losses.values()))
    return together.min() > 0 and together.max() > ratio * together.min()


def _draw_curve(ax, losses, label, color, linestyle):
    """Draw one loss per epoch; a single epoch is a point."""
    (line,) = ax.plot(
        np.arange(1, len(losses) + 1),
        losses,
        color=color,
        linestyle=linestyle,
        marker="." if len(losses) == 1 else None,
        label=label,
    )
    return line

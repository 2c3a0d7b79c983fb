"""The loss per epoch, as a display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# From this ratio of the largest loss to the smallest on, log="auto" takes a log axis.
LOG_RATIO = 10
# Label, colour and line style of each loss of a history.
CURVES = {
    "loss": ("training loss", common.BLUE, "-"),
    "val_loss": ("validation loss", common.VERMILION, "--"),
}


class LossCurveDisplay:
    """Loss per epoch, on the training rows and on the validation rows.

    Look at it to see whether training had converged when it stopped, and whether the
    network overfits: then the validation loss rises while the training loss falls. It
    is best made with :meth:`from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    history : dict of list of float
        The losses per epoch, as in `estimator.history_`: `"loss"` and, where rows were
        held out, `"val_loss"`.
    restored : bool, default=True
        Whether the weights of the best epoch were kept, as a `fit` with `patience`
        does. With `False` those of the last epoch were, and none is marked.

    Attributes
    ----------
    loss_line_ : matplotlib Line2D
        The training loss.
    val_loss_line_ : matplotlib Line2D or None
        The validation loss, `None` where there is none.
    kept_marker_ : matplotlib Line2D or None
        The mark at the epoch whose weights were kept, `None` where that is the last.
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The axes drawn on, and their figure.

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

    def __init__(
        self, history: Mapping[str, Sequence[float]], *, restored: bool = True
    ) -> None:
        self.history = history
        self.restored = restored

    @common.validate_options(
        log=["boolean", common.AUTO], name=[str, None], color=[str, tuple, None]
    )
    def plot(
        self,
        ax: Axes | None = None,
        *,
        log: bool | Literal["auto"] = "auto",
        name: str | None = None,
        color: Any = None,
    ) -> LossCurveDisplay:
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
        """
        from matplotlib.ticker import MaxNLocator

        if not len(self.history.get("loss", ())):
            raise ValueError(
                "history must hold a 'loss' for one epoch or more, but it is "
                f"{self.history!r}. Pass the history_ of a fitted estimator."
            )
        losses = {
            key: np.asarray(self.history[key], dtype=np.float64)
            for key in CURVES
            if len(self.history.get(key, ()))
        }
        ax = common.axes_or_new(ax, (6.0, 4.0))
        prefix = "" if name is None else f"{name}: "
        lines: dict[str, Line2D] = {}
        for key, values in losses.items():
            label, own_color, linestyle = CURVES[key]
            look: dict[str, Any] = {"color": color or own_color, "linestyle": linestyle}
            look["marker"] = "." if len(values) == 1 else None  # one epoch is a point
            epochs = range(1, len(values) + 1)
            (lines[key],) = ax.plot(epochs, values, label=prefix + label, **look)
        self.loss_line_, self.val_loss_line_ = lines["loss"], lines.get("val_loss")
        self.kept_marker_ = None
        monitored = losses.get("val_loss", losses["loss"])
        kept = int(np.argmin(monitored)) + 1
        if self.restored and kept < len(losses["loss"]):
            look = {"markersize": 8, "markerfacecolor": "none", "markeredgewidth": 1.5}
            look |= {"color": color or common.DARK, "zorder": 3}
            look["label"] = f"{prefix}weights kept (epoch {kept})"
            (self.kept_marker_,) = ax.plot([kept], [monitored[kept - 1]], "o", **look)
        if log == "auto":
            values = np.concatenate(list(losses.values()))
            log = values.min() > 0 and values.max() > LOG_RATIO * values.min()
        if log:
            ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend(loc="best", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Axes | None = None,
        log: bool | Literal["auto"] = "auto",
        name: str | None = None,
        color: Any = None,
    ) -> LossCurveDisplay:
        """Draw the loss curves of a fitted estimator.

        After `partial_fit` no epoch is marked: it keeps the weights of its last pass.

        Parameters
        ----------
        estimator : fitted estimator
            Any of skae's estimators.
        ax, log, name, color
            As in :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay
            The display, already drawn.
        """
        check_is_fitted(estimator)
        display = cls(estimator.history_, restored=estimator.autoencoder_.restored)
        return display.plot(ax=ax, log=log, name=name, color=color)

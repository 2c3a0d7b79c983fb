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
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# From this ratio of the largest loss to the smallest on, log="auto" takes a log axis.
LOG_RATIO = 10


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
        The axes drawn on, and the figure that holds them.

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

        losses = _check_history(self.history)
        ax = common.axes_or_new(ax, (6.0, 4.0))
        prefix = "" if name is None else f"{name}: "
        self.loss_line_ = _draw_curve(
            ax, losses["loss"], prefix + "training loss", color or common.BLUE, "-"
        )
        self.val_loss_line_ = self.kept_marker_ = None
        if "val_loss" in losses:
            label = prefix + "validation loss"
            self.val_loss_line_ = _draw_curve(
                ax, losses["val_loss"], label, color or common.VERMILION, "--"
            )
        monitored = losses.get("val_loss", losses["loss"])
        kept = int(np.argmin(monitored)) + 1
        if self.restored and kept < len(losses["loss"]):
            (self.kept_marker_,) = ax.plot(
                [kept],
                [monitored[kept - 1]],
                linestyle="none",
                marker="o",
                markersize=8,
                markerfacecolor="none",
                markeredgewidth=1.5,
                color=color or common.DARK,
                zorder=3,
                label=f"{prefix}weights kept (epoch {kept})",
            )
        if log is True or (log == "auto" and _spans(losses, LOG_RATIO)):
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
        restored = estimator.autoencoder_.restored
        display = cls(estimator.history_, restored=restored)
        return display.plot(ax=ax, log=log, name=name, color=color)


def _check_history(
    history: Mapping[str, Sequence[float]],
) -> dict[str, Floats]:
    """Return the losses as arrays, or raise where there is none to draw."""
    if len(history.get("loss", ())) == 0:
        raise ValueError(
            f"history must hold a 'loss' for one epoch or more, but it is {history!r}. "
            "Pass the history_ of a fitted estimator."
        )
    names = [name for name in ("loss", "val_loss") if len(history.get(name, ()))]
    return {name: np.asarray(history[name], dtype=np.float64) for name in names}


def _spans(losses: dict[str, Floats], ratio: float) -> bool:
    """Return whether all losses are positive and they span more than `ratio`."""
    values = np.concatenate(list(losses.values()))
    return values.min() > 0 and values.max() > ratio * values.min()


def _draw_curve(
    ax: Axes, losses: Floats, label: str, color: Any, linestyle: str
) -> Line2D:
    """Draw one loss per epoch; a single epoch is a point."""
    epochs = np.arange(1, len(losses) + 1)
    marker = "." if len(losses) == 1 else None
    look = {"color": color, "linestyle": linestyle, "marker": marker}
    return ax.plot(epochs, losses, label=label, **look)[0]

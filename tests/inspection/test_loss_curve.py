import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae.inspection import LossCurveDisplay

losses = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20)


def test_the_lines_are_the_history(transformer):
    display = LossCurveDisplay.from_estimator(transformer)
    history = transformer.history_
    for name, line in [
        ("loss", display.loss_line_),
        ("val_loss", display.val_loss_line_),
    ]:
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(line.get_ydata(), history[name])
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss"
    assert display.figure_ is display.ax_.figure
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "training loss", "validation loss", "weights kept (epoch 2)"
    ]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(loss=losses, with_validation=st.booleans())
def test_the_mark_is_the_first_lowest_watched_loss(loss, with_validation):
    history = (
        {"loss": loss[::-1], "val_loss": loss} if with_validation else {"loss": loss}
    )
    display = LossCurveDisplay(history).plot(plt.figure().subplots())
    kept = loss.index(min(loss)) + 1
    if kept == len(loss):
        assert display.kept_marker_ is None
    else:
        assert display.kept_marker_.get_xdata().tolist() == [kept]
        assert display.kept_marker_.get_ydata().tolist() == [min(loss)]
    assert (display.val_loss_line_ is None) == (not with_validation)
    plt.close("all")


@pytest.mark.parametrize(
    ("restored", "n_val", "kept"), [(True, 4, [2]), (True, 0, [3]), (False, 4, None)]
)
def test_only_restored_weights_are_marked(transformer, waves, restored, n_val, kept):
    fitted = type(transformer)(restored=restored).fit(waves)
    fitted.history_["val_loss"] = fitted.history_["val_loss"][:n_val]
    mark = LossCurveDisplay.from_estimator(fitted).kept_marker_
    assert (None if mark is None else mark.get_xdata().tolist()) == kept


@pytest.mark.parametrize(
    ("loss", "log", "scale"),
    [
        ([100.0, 1.0], "auto", "log"),
        ([10.0, 1.0], "auto", "linear"),
        ([100.0, -1.0], "auto", "linear"),
        ([100.0, 1.0], False, "linear"),
        ([2.0, 1.0], True, "log"),
    ],
)
def test_log_axis(loss, log, scale):
    display = LossCurveDisplay({"loss": loss}).plot(log=log)
    assert display.ax_.get_yscale() == scale


def test_two_estimators_on_the_same_axes(transformer):
    first = LossCurveDisplay.from_estimator(transformer, name="a", color="C0")
    second = LossCurveDisplay.from_estimator(
        transformer, name="b", color="C1", ax=first.ax_
    )
    assert second.ax_ is first.ax_
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels[0] == "a: training loss"
    assert labels[-1] == "b: weights kept (epoch 2)"
    assert first.loss_line_.get_color() == first.val_loss_line_.get_color() == "C0"


def test_a_single_epoch_is_seen():
    display = LossCurveDisplay({"loss": [1.0]}).plot()
    assert display.loss_line_.get_marker() == "."

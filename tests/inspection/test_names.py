"""Names from data are drawn as they are, whatever matplotlib would read in them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from skae.inspection import (
    FeatureErrorDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

BROKEN = "$x_{$"
NAMES = [BROKEN, "US$ 5 or A$ 6", "a$b"]
CODES = np.random.default_rng(0).normal(size=(6, 2))
SERIES = np.random.default_rng(0).random((2, 5, 3))
DRAWN = {
    "bars": lambda: FeatureErrorDisplay([1.0, 2, 3], feature_names=NAMES).plot(),
    "table": lambda: FeatureErrorDisplay(
        np.eye(3), feature_names=NAMES, row_names=NAMES
    ).plot(kind="table"),
    "channels": lambda: FeatureErrorDisplay(SERIES[0], feature_names=NAMES).plot(),
    "columns": lambda: ReconstructionDisplay(
        CODES[:2].repeat(2, axis=1)[:, :3], np.zeros((2, 3)), feature_names=NAMES
    ).plot(),
    "titles": lambda: ReconstructionDisplay(
        CODES[:3], CODES[:3], titles=NAMES, value_name=BROKEN
    ).plot(),
    "pictures": lambda: ReconstructionDisplay(
        np.ones((3, 4, 4, 1)), np.zeros((3, 4, 4, 1)), titles=NAMES
    ).plot(),
    "series": lambda: ReconstructionDisplay(SERIES, SERIES, feature_names=NAMES).plot(),
    "classes": lambda: LatentSpaceDisplay(CODES, y=NAMES * 2).plot(),
    "numbers": lambda: LatentSpaceDisplay(
        CODES, y=pd.Series(CODES[:, 0], name=BROKEN), axis_names=[BROKEN, "b"]
    ).plot(),
    "loss": lambda: LossCurveDisplay({"loss": [1.0, 0.5]}).plot(name=BROKEN),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_dollars_in_names_are_no_mathtext(draw):
    figure = draw().figure_
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.findobj(plt.Text)]
    shown = [text for text in texts if "x_{" in text]
    assert shown
    assert all(text.count("$") == text.count(r"\$") for text in shown)
    plt.close(figure)


def test_a_title_that_is_mathtext_stays_so():
    rows = np.ones((1, 3))
    display = ReconstructionDisplay(rows, rows, titles=[r"$\alpha$"]).plot()
    assert display.ax_.get_title() == r"$\alpha$"
    plt.close(display.figure_)

"""
Outliers in a series
====================

A series of three channels with a day's period: ``SlidingWindowDetector`` gives each
time step a score, a label and a reason.
"""

# %%
# Three channels
# --------------
# Two months of hours; in the last weeks a channel stands still, a spike comes, and
# two channels lose their relation.
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
times = pd.date_range("2026-01-01", periods=24 * 60, freq="h")
hours = np.arange(len(times))
day = np.sin(2 * np.pi * hours / 24)
load = (
    50 + 15 * day + 5 * (times.day_of_week < 5) + rng.normal(scale=1, size=len(times))
)
X = pd.DataFrame(
    {
        "load": load,
        "current": load / 4 + rng.normal(scale=0.2, size=len(times)),
        "temperature": 20
        + 4 * np.roll(day, 3)
        + rng.normal(scale=0.4, size=len(times)),
    },
    index=times,
)
truth = np.ones(len(X), dtype=int)
X.iloc[1100:1112, 2] = X.iloc[1100, 2]  # the temperature stands still
X.iloc[1250, 0] += 30  # a spike
X.iloc[1350:1370, 1] = X.iloc[1350:1370, 1].to_numpy()[::-1]  # time runs backwards
truth[1100:1112] = truth[1250] = truth[1350:1370] = -1

# %%
# The detector
# ------------
# The window is a day. The first 40 days train.
from skae import Conformal, SlidingWindowDetector

detector = SlidingWindowDetector(width=24, aggregate="step", random_state=0)
detector.set_params(detector__epochs=40, detector__threshold=Conformal(0.01))
detector.fit(X[:960])
new = X[960:]
labels = detector.predict(new)

# %%
# The series and its errors
# -------------------------
from skae import SeriesDisplay

SeriesDisplay.from_estimator(detector, new)

# %%
# How good is it, and for which aggregate?
# ----------------------------------------
# The same windows give two errors for a step: the mean of the windows that hold it,
# or its own part of them.
from skae import outlier_average_precision_score

for aggregate in ("step", "window"):
    one = SlidingWindowDetector(width=24, aggregate=aggregate, random_state=0)
    one.set_params(detector__epochs=40).fit(X[:960])
    score = outlier_average_precision_score(truth[960:], one.score_samples(new))
    print(f"aggregate={aggregate!r:9} average precision {score:.3f}")
print(f"false alarms: {(labels[truth[960:] == 1] == -1).mean():.3f}")

# %%
# The reasons
# -----------
# The channel with the largest error at the middle of each outlier:
reasons = detector.explain(new, top_k=1)
reasons.iloc[[1106 - 960, 1250 - 960, 1360 - 960]]

# %%
# What to take away
# -----------------
# - Choose the width by the period of the series.
# - ``aggregate="step"`` points at short outliers, "window" finds spans.
# - A promised share of false alarms holds for independent rows. Neighbouring steps
#   are alike, and normal steps next to an outlier share its windows: more of them are
#   flagged here.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_explain_sensors.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_lstm.py`.

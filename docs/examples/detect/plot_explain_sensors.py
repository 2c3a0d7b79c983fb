"""
Why a machine was flagged: explain with sensors
===============================================

Eight sensors of a generated machine. Three faults, and the sensors that ``explain``
names for each.
"""

# %%
# The machine
# -----------
# Load drives current, temperature and vibration; the temperature drives the pressure.
# Each sensor has noise.
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)


def run(n_rows):
    """Return rows of a machine that works."""
    load, air = rng.uniform(0.2, 1, n_rows), rng.normal(20, 5, n_rows)
    noise = rng.normal(size=(8, n_rows))
    temperature = air + 40 * load + noise[0]
    return pd.DataFrame(
        {
            "load": load,
            "current": 12 * load**1.2 + 0.2 * noise[1],
            "voltage": 400 - 5 * load + 0.5 * noise[2],
            "air": air + 0.3 * noise[3],
            "temperature": temperature,
            "pressure": 1 + 0.02 * temperature + 0.02 * noise[4],
            "vibration": 0.5 + load**2 + 0.05 * noise[5],
            "speed": 1500 - 60 * load + 3 * noise[6],
        }
    )


X = run(2000)

# %%
# Three faults
# ------------
# None of the values is out of its usual range: they do not fit the other sensors.
faults = run(3).set_index(pd.Index(["leak", "worn bearing", "dead sensor"]))
faults["load"] = 0.5
faults = faults.assign(
    current=12 * 0.5**1.2, voltage=397.5, speed=1470.0, vibration=0.75,
    temperature=faults.air + 20, pressure=1 + 0.02 * (faults.air + 20),
)  # fmt: skip
faults.loc["leak", "pressure"] = 1.4
faults.loc["worn bearing", "vibration"] = 1.3
faults.loc["dead sensor", "current"] = 2.5
pd.DataFrame({"lowest": X.min(), "highest": X.max()}).join(faults.T).round(2)

# %%
# The detector's reasons
# ----------------------
from skae import Conformal, ReconstructionOutlierDetector

detector = ReconstructionOutlierDetector(
    threshold=Conformal(0.01), epochs=50, random_state=0
).fit(X)
print(dict(zip(faults.index, detector.predict(faults).tolist(), strict=True)))
detector.explain(faults, top_k=2).round(2)

# %%
# All sensors of one row, and of many
# -----------------------------------
from skae import FeatureErrorDisplay

FeatureErrorDisplay.from_estimator(detector, faults, row=1)
FeatureErrorDisplay.from_estimator(detector, pd.concat([run(7), faults]), row=None)

# %%
# What to take away
# -----------------
# - ``explain`` names columns, with the value, what the network expected and the share
#   of the error.
# - A value need not be extreme to be flagged: it is enough that it does not fit the
#   others.
# - Where two sensors contradict each other, the error does not say which of them is
#   wrong.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_series.py` and
# :ref:`sphx_glr_auto_examples_detect_plot_missing_values.py`.

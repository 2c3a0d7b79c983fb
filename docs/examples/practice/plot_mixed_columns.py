"""
Outliers in a table with categories
===================================

Numbers, categories, times of day and gaps in one table: encode the columns in a
pipeline, and let the detector do the rest.
"""

# %%
# Payments
# --------
# A generated table. Fraud breaks habits: large amounts at night, in a country that
# does not fit the currency.
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n_rows, n_frauds = 3000, 60
country = rng.choice(["de", "fr", "jp", "us"], n_rows, p=[0.5, 0.2, 0.2, 0.1])
currency = pd.Series(country).map({"de": "EUR", "fr": "EUR", "jp": "JPY", "us": "USD"})
X = pd.DataFrame(
    {
        "amount": rng.lognormal(3, 0.8, n_rows),
        "hour": (rng.normal(14, 3.5, n_rows) % 24).round(1),
        "country": country,
        "currency": currency,
        "age": rng.integers(18, 90, n_rows).astype(float),
    }
)
X.loc[rng.random(n_rows) < 0.1, "age"] = np.nan
y = np.ones(n_rows, dtype=int)
frauds = rng.choice(n_rows, n_frauds, replace=False)
y[frauds] = -1
X.loc[frauds, "hour"] = rng.uniform(0, 5, n_frauds).round(1)
X.loc[frauds, "currency"] = rng.permutation(X.loc[frauds, "currency"])
X.loc[frauds, "amount"] *= rng.uniform(1, 4, n_frauds)
X.head()

# %%
# The pipeline
# ------------
# Amounts have a heavy tail, so they become logarithms. An hour becomes a point on a
# circle, so that 23 and 0 are neighbours. Gaps stay gaps.
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skae import Conformal, ReconstructionOutlierDetector


def on_circle(hours):
    """Return sine and cosine of the hours of a day."""
    angle = hours["hour"] * 2 * np.pi / 24
    return pd.DataFrame({"hour_sin": np.sin(angle), "hour_cos": np.cos(angle)})


columns = make_column_transformer(
    (FunctionTransformer(np.log1p), ["amount"]),
    (FunctionTransformer(on_circle), ["hour"]),
    (
        OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
        ["country", "currency"],
    ),
    remainder="passthrough",
    verbose_feature_names_out=False,
).set_output(transform="pandas")
detector = make_pipeline(
    columns,
    ReconstructionOutlierDetector(
        threshold=Conformal(0.02), allow_nan=True, epochs=40, random_state=0
    ),
)
train, test = slice(0, 2000), slice(2000, None)
detector.fit(X[train], y[train])

# %%
# How good is it?
# ---------------
# IsolationForest gets the same columns.
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer

from skae import outlier_average_precision_score

forest = make_pipeline(columns, SimpleImputer(), IsolationForest(random_state=0))
forest.fit(X[train][y[train] == 1])
for name, one in {"skae": detector, "IsolationForest": forest}.items():
    score = outlier_average_precision_score(y[test], one.score_samples(X[test]))
    print(f"{name:16} average precision {score:.3f}")
labels = detector.predict(X[test])
print(f"false alarms of skae {(labels[y[test] == 1] == -1).mean():.3f}")

# %%
# Why were they flagged?
# ----------------------
# The encoded columns have names, so the reasons have, too.
flagged = X[test][labels == -1]
reasons = detector[-1].explain(columns.transform(flagged), top_k=1)
reasons.feature.value_counts()

# %%
# What to take away
# -----------------
# - ``set_output(transform="pandas")`` keeps the names, for ``explain``.
# - ``sparse_output=False``: sparse rows are refused.
# - Encode what has an order or a circle so that neighbours stay neighbours.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_missing_values.py` and
# :ref:`sphx_glr_auto_examples_practice_plot_saving_and_serving.py`.

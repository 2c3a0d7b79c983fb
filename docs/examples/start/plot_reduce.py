"""
Reduce dimensions
=================

Digits of 64 pixels become codes of 8 numbers, from which a classifier reads them
and a decoder draws them again.
"""

# %%
# The codes
# ---------
# The transformer scales the pixels itself. It stands where PCA stands.
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
transformer = AutoencoderTransformer(latent_dim=8, scaler="common", random_state=0)
codes = transformer.fit_transform(X_train)
print(
    f"{X_train.shape} became {codes.shape}; {transformer.r2_:.1%} of the variance is kept"
)

# %%
# Back to pixels
# --------------
# ``inverse_transform`` turns codes into rows again, in the units of X.
from skae import ReconstructionDisplay

ReconstructionDisplay.from_estimator(
    transformer, X_test, max_samples=4, row_shape=(8, 8)
)

# %%
# In a pipeline
# -------------
# A classifier that sees the codes only, and the same with PCA:
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

for name, step in {"autoencoder": transformer, "PCA": PCA(8)}.items():
    pipe = make_pipeline(step, LogisticRegression(max_iter=5000))
    accuracy = pipe.fit(X_train, y_train).score(X_test, y_test)
    print(f"{name:12} accuracy {accuracy:.3f}")

# %%
# What to take away
# -----------------
# - ``AutoencoderTransformer(8)`` has the methods of ``PCA(8)``, and scales its input
#   itself.
# - ``scaler="common"`` keeps the differences between bright and dark pixels: all
#   columns are one quantity.
# - Whether it beats PCA depends on the data and the width: compare, as above.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_pca_and_autoencoder.py` and
# :ref:`sphx_glr_auto_examples_reduce_plot_pipeline_search.py`.

"""
Search a pipeline with a classifier
===================================

How wide must a code be for a classifier, and is it better than PCA? One search
answers both.
"""

# %%
# One pipeline, two transformers
# ------------------------------
from tempfile import mkdtemp

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
pipe = Pipeline([("reduce", PCA()), ("classify", LogisticRegression(max_iter=5000))])
autoencoder = AutoencoderTransformer(
    scaler="common", epochs=30, memory=mkdtemp(), random_state=0
)
grid = [
    {"reduce": [PCA()], "reduce__n_components": [4, 8, 16]},
    {"reduce": [autoencoder], "reduce__latent_dim": [4, 8, 16]},
]
search = GridSearchCV(pipe, grid, cv=3).fit(X_train, y_train)

# %%
# The results
# -----------
import pandas as pd

results = pd.DataFrame(search.cv_results_)
results["model"] = [type(one).__name__ for one in results.param_reduce]
results["width"] = results.param_reduce__n_components.fillna(
    results.param_reduce__latent_dim
)
results[["model", "width", "mean_test_score", "std_test_score", "mean_fit_time"]].round(
    3
)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for model, part in results.groupby("model"):
    axes.errorbar(
        part.width.astype(int), part.mean_test_score, part.std_test_score, label=model,
        marker="o", capsize=3,
    )  # fmt: skip
axes.set(xlabel="width of the code", ylabel="accuracy")
axes.legend()
print(
    f"best {search.best_score_:.3f}, on new digits {search.score(X_test, y_test):.3f}"
)

# %%
# What to take away
# -----------------
# - Steps and their parameters are searched as for any transformer.
# - ``memory`` keeps trained networks, so that a second search over the classifier
#   trains none.
# - The difference between methods is largest for narrow codes.
#
# Next: :ref:`sphx_glr_auto_examples_detect_plot_search_with_memory.py` and
# :ref:`sphx_glr_auto_examples_start_plot_reduce.py`.

"""
Bring a Keras model, in three styles
====================================

A class in the style of TensorFlow's tutorial, a function and a functional model:
``KerasNetwork`` takes all of them.
"""

# %%
# A class
# -------
# It has an ``encoder`` and a ``decoder``.
import keras
from keras import layers
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)


class Autoencoder(keras.Model):
    """As in the tutorial."""

    def __init__(self, latent_dim=8, units=32):
        super().__init__()
        self.encoder = keras.Sequential(
            [layers.Dense(units, "relu"), layers.Dense(latent_dim)]
        )
        self.decoder = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(64)])

    def call(self, x):
        """Return the reconstruction."""
        return self.decoder(self.encoder(x))


# %%
# A function
# ----------
# It is called with those of ``n_features``, ``input_shape`` and ``latent_dim`` that
# it names.
def build(n_features, latent_dim=8, units=32):
    """Return an encoder and a decoder."""
    encoder = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(latent_dim)])
    decoder = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(n_features)])
    return encoder, decoder


# %%
# A functional model
# ------------------
# The layer of the code is called ``latent``.
inputs = keras.Input((64,))
code = layers.Dense(8, name="latent")(layers.Dense(32, "relu")(inputs))
model = keras.Model(inputs, layers.Dense(64)(layers.Dense(32, "relu")(code)))

# %%
# In an estimator
# ---------------
from skae import AutoencoderTransformer, KerasNetwork

styles = {"class": Autoencoder, "function": build, "functional model": model}
for name, style in styles.items():
    transformer = AutoencoderTransformer(
        network=KerasNetwork(style), epochs=20, random_state=0
    ).fit(X)
    print(f"{name:17} codes {transformer.transform(X).shape}, R2 {transformer.r2_:.3f}")

# %%
# In a search
# -----------
# Arguments of the class or function are parameters.
import pandas as pd
from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    AutoencoderTransformer(network=KerasNetwork(build), epochs=10, random_state=0),
    {"network__units": [16, 64], "latent_dim": [4, 8]},
    cv=2,
).fit(X)
columns = ["param_latent_dim", "param_network__units", "mean_test_score"]
pd.DataFrame(search.cv_results_)[columns].round(2)

# %%
# And the loss of the best one:
from skae import LossCurveDisplay

LossCurveDisplay.from_estimator(search.best_estimator_)

# %%
# What to take away
# -----------------
# - Wrap the model that you have; nothing has to be inherited from skae.
# - Pass a class or a function rather than an instance: both can be searched, pickled
#   and run in processes.
# - What a model was compiled with is not used: loss and optimizer are parameters of
#   the estimator.
#
# Next: :ref:`sphx_glr_auto_examples_reduce_plot_variational.py` and
# :ref:`sphx_glr_auto_examples_practice_plot_saving_and_serving.py`.

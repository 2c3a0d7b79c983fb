"""One class per kind of layer: variables, forward, backward, Keras twin, value range.

A network describes itself as two lists of layers, encoder and decoder. Building in
Keras is a fold over their Keras twins, scoring in NumPy a fold over ``forward``, and
training in NumPy one over ``backward``. Importing this package imports neither
TensorFlow nor Keras.
"""

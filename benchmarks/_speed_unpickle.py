"""The process of the case ``unpickle`` of ``speed.py``: loads, and scores one row.

Or only imports what scikit-learn's estimators are made from.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(path):
    """Print the score of the row that lies beside the file; or a version."""
    if path == "sklearn.base":
        import sklearn.base

        print(json.dumps(sklearn.__version__))
        return
    row = np.load(Path(path).with_name("row.npy"))
    if path.endswith(".keras"):
        import keras

        model = keras.saving.load_model(path)
        error = np.mean(np.abs(model.predict(row, verbose=0) - row))
    else:
        import pickle

        error = -pickle.loads(Path(path).read_bytes()).score_samples(row)[0]
    print(json.dumps(float(error)))


if __name__ == "__main__":
    main(*sys.argv[1:])

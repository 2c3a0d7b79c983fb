"""The rows with their scores, and which column made each of them odd."""

import numpy as np
import pandas as pd


def score_table(found, X, y=None):
    """Return a table with a line for each row, in the order of the rows.

    Parameters
    ----------
    found : Found
        The search's winner, an autoencoder.

    X : DataFrame of shape (n_samples, n_features)
        Rows to score.

    y : ndarray of shape (n_samples,), default=None
        Their labels.

    Returns
    -------
    table : DataFrame
        Columns ``row`` (X's index), ``label`` (where there are any), ``score`` (minus
        the reconstruction error: low is odd), ``flag`` (+1 normal, -1 outlier),
        ``feature`` (the column with the largest part of the error), its ``value`` and
        ``reconstruction`` in X's units, and its ``share`` of the error.
    """
    scaler, detector = found.pipeline["scale"], found.detector
    scaled = scaler.transform(X)
    top = detector.explain(scaled, top_k=1)
    place = X.columns.get_indexer(top["feature"])
    rows = np.arange(len(X))
    reconstruction = scaler.inverse_transform(detector.reconstruct(scaled))
    labels = {} if y is None else {"label": y}
    return pd.DataFrame(
        {
            "row": X.index,
            **labels,
            "score": found.pipeline.score_samples(X),
            "flag": found.pipeline.predict(X),
            "feature": top["feature"].to_numpy(),
            "value": X.to_numpy()[rows, place],
            "reconstruction": reconstruction[rows, place],
            "share": top["share"].to_numpy(),
        }
    )

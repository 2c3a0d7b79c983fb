"""How well scores and flags tell outliers from normal rows, in all usual numbers."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def outlier_qualities(y, scores, flags):
    """Return the qualities of scores and flags, outliers being the positive class.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        +1 and -1, both present.

    scores : ndarray of shape (n_samples,)
        Finite; high is normal.

    flags : ndarray of shape (n_samples,)
        +1 and -1.

    Returns
    -------
    qualities : dict of str to float
        A share of nothing, such as the precision where nothing is flagged, is 0.
    """
    odd, flagged = y == -1, flags == -1
    found = int(np.sum(odd & flagged))
    missed = int(np.sum(odd & ~flagged))
    alarms = int(np.sum(~odd & flagged))
    return {
        "roc_auc": float(roc_auc_score(odd, -scores)),
        "average_precision": float(average_precision_score(odd, -scores)),
        "f1": _share(2 * found, 2 * found + missed + alarms),
        "accuracy": float(np.mean(odd == flagged)),
        "precision": _share(found, found + alarms),
        "recall": _share(found, found + missed),
        "false_alarm_rate": _share(alarms, int(np.sum(~odd))),
    }


def _share(part, whole):
    return part / whole if whole else 0.0

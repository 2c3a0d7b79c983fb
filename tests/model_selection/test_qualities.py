"""The numbers by which scores and flags are judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)

from skae.metrics import outlier_average_precision_score, outlier_roc_auc_score
from skae.model_selection._compare import outlier_qualities


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(-3, 3)),
        min_size=2,
        max_size=30,
    )
)
def test_outliers_are_the_positive_class(rows):
    rows = [(True, True, 0), (False, False, 1), *rows]
    y, flags = (np.where(column, -1, 1) for column in np.array(rows)[:, :2].T)
    scores = np.array(rows)[:, 2].astype(float)
    found = outlier_qualities(y, scores, flags)
    precision, recall, f1, _ = precision_recall_fscore_support(
        y == -1, flags == -1, average="binary"
    )
    (kept, alarms), _ = confusion_matrix(y == -1, flags == -1)
    assert found == pytest.approx(
        {
            "roc_auc": outlier_roc_auc_score(y, scores),
            "average_precision": outlier_average_precision_score(y, scores),
            "f1": f1,
            "accuracy": accuracy_score(y, flags),
            "precision": precision,
            "recall": recall,
            "false_alarm_rate": alarms / (kept + alarms),
        }
    )


def test_nothing_flagged_is_zero_without_a_warning():
    y = np.array([1, 1, -1])
    found = outlier_qualities(y, np.array([0.0, 0.0, -1.0]), np.ones(3))
    assert found["precision"] == found["recall"] == found["f1"] == 0
    assert found["false_alarm_rate"] == 0
    assert found["roc_auc"] == found["average_precision"] == 1

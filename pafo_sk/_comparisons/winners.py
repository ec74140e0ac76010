"""What users pass as y, checked and turned into numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from pafo_sk._comparisons.frames import first_rows


def read_labels(y: Any, n: int, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Whether b won, as 0.0 or 1.0, and the two classes.

    Parameters
    ----------
    n : int
        Rows of X.
    classes : ndarray of shape (2,) or None
        Classes that y must be among; None: whatever two classes it holds.
    """
    if y is None:
        raise ValueError("PafoRewardEstimator requires y to be passed, but the target y is None.")
    y = y.array if isinstance(y, pd.Series) else y
    if not isinstance(y, pd.Categorical):
        y = column_or_1d(y, warn=True)
    codes, found = _coded_winners(y)
    if len(codes) != n:
        raise ValueError(
            f"y has {len(codes)} labels and X has {n} rows: they have inconsistent numbers of "
            "samples; give one label per row, naming the winner."
        )
    missing = codes < 0
    if missing.any():
        raise ValueError(
            f"y contains NaN or None in {missing.sum()} of {n} rows, the first of them "
            f"{first_rows(missing)}. Drop these rows of X, y and groups (a tie has no winner)."
        )
    if classes is None:
        check_classification_targets(found if len(found) < 3 else np.asarray(y))
        if len(found) > 2:
            raise ValueError(_too_many_classes(np.asarray(y), np.sort(found)))
        if len(found) < 2:
            raise ValueError(
                f"y holds one class only, {found.tolist()[0]!r} in all {n} rows, and two are "
                "needed: response_a wins, response_b wins. Swap response_a and response_b, and "
                "with them y, in a random half of the rows (pafo_sk.datasets.from_chosen_rejected "
                "does this)."
            )
        classes = np.sort(found)
    unknown = ~np.isin(found, classes)
    if unknown.any():
        check_classification_targets(np.asarray(y))
        raise ValueError(
            f"y holds {np.sort(found[unknown])[:5].tolist()!r} in rows "
            f"{first_rows(unknown[codes])}, and the model was fitted with the classes "
            f"{classes.tolist()!r}. Drop these rows, or name the winners as in fit."
        )
    return (found == classes[1]).astype(np.float64)[codes], classes


def _coded_winners(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Code of every row's winner, -1 where there is none, and the winners."""
    if isinstance(y, np.ndarray) and y.dtype.kind in "US":  # pandas would make objects of them
        found, codes = np.unique(y, return_inverse=True)
        return codes, found
    # through a hash table: to sort millions of labels in order to find two takes long
    codes, found = pd.factorize(y)
    return codes, np.asarray(found)


def _too_many_classes(y: np.ndarray, found: np.ndarray) -> str:
    count = pd.Series(y).value_counts(sort=True)
    rest = [label for label in found.tolist() if label not in count.index[:2]]
    rows = np.isin(y, rest)
    return (
        "Only binary classification is supported. The type of the target is "
        f"{type_of_target(y)}: y names the winner of each comparison, and holds {len(found)} "
        f"classes ({', '.join(map(repr, found[:5].tolist()))}). Besides the two most frequent it "
        f"holds {', '.join(map(repr, rest[:5]))} in {rows.sum()} rows, the first of them "
        f"{first_rows(rows)}. Drop ties; keep one label for response_a and one for response_b."
    )

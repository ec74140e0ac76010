"""Private names of scikit-learn, imported in this file only.

A release of scikit-learn may move them without a deprecation; then this file changes and no other.
"""

from sklearn.metrics._scorer import _Scorer as Scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._indexing import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "Scorer",
    "StrOptions",
    "num_samples",
    "safe_indexing",
    "validate_params",
]

"""Warnings that point at the user's line."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn
import torch

# scikit-learn calls splitters and estimators, in cross-validation by way of joblib.
_SKIPPED = (
    str(Path(__file__).parent) + os.sep,
    str(Path(sklearn.__file__).parent) + os.sep,
    str(Path(joblib.__file__).parent) + os.sep,
    contextlib.__file__,
    # torch's decorators, such as no_grad
    str(Path(torch.__file__).parent / "utils") + os.sep,
)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn with the line that called into the library, however deep inside it this is."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SKIPPED):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

"""Check the numbers, one for each user, that measures of spread and inequality take."""

from __future__ import annotations

from typing import Any

import numpy as np

from pafo_sk._comparisons.messages import first_rows
from pafo_sk._comparisons.numbers import check_unmasked


def read_values(values: Any, name: str = "values") -> np.ndarray:
    """A vector of finite numbers that are not negative."""
    check_unmasked(values, name)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, and has the shape {x.shape}.")
    if not len(x):
        raise ValueError(f"{name} is empty; pass one number per user.")
    wrong = ~np.isfinite(x) | (x < 0)
    if wrong.any():
        raise ValueError(
            f"{name} must be finite and not negative, and {wrong.sum()} of {len(x)} are not, the "
            f"first of them at positions {first_rows(wrong)}: {x[wrong][0]}. Drop these users."
        )
    return x


def check_share(value: float, name: str) -> None:
    """Raise unless ``value`` is in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{name}={value!r} must be a share in (0, 1], such as 0.1 for a tenth.")

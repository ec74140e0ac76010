"""What the size of a group counts in a report."""

from __future__ import annotations

import pandas as pd


def size_column(report: pd.DataFrame) -> str:
    """The column of the units that count equally: users, or comparisons without users."""
    return "n_users" if "n_users" in report else "n_comparisons"

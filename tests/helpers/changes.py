"""Changes that make good comparisons bad, for the tables of tests/bad_input.

A change is a form of comparisons and a function of X, y and groups.
"""

import pandas as pd

ROWS = [2, 3, 5, 7, 11, 13, 17]
FIRST_FIVE = r"\[2, 3, 5, 7, 11\]"


def put(values, rows, value):
    """A copy of a column or an array with ``value`` in some rows."""
    values = values.copy()
    if isinstance(values, pd.Series):
        values = values.astype(object)
        for row in rows:
            values.iloc[row] = value
    else:
        values[rows] = value
    return values


def text(change):
    return "texts", lambda X, y, g: (change(X), y, g)


def number(change):
    return "numbers", lambda X, y, g: (change(X), y, g)


def array(change):
    return "array", lambda X, y, g: (change(X), y, g)


def pairs(change):
    return "pairs", lambda X, y, g: (change(X), y, g)


def target(change):
    return "numbers", lambda X, y, g: (X, change(y), g)


def group(change):
    return "numbers", lambda X, y, g: (X, y, change(g))


def set_column(name, rows, value):
    return lambda X: X.assign(**{name: put(X[name], rows, value)})

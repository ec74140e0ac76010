"""Changes of X that mean nothing change no margin; those that mean something change it so."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences

pytestmark = pytest.mark.slow
FEATURES = [f"x{j}" for j in range(6)]


def permuted(rng, X, rows, sign):
    order = rng.permutation(len(X))
    return X.iloc[order], rows[order], sign


def some(rng, X, rows, sign):
    kept = np.sort(rng.choice(len(X), rng.integers(1, len(X) + 1), replace=False))
    return X.iloc[kept], rows[kept], sign


def repeated(rng, X, rows, sign):
    drawn = rng.integers(0, len(X), rng.integers(1, 2 * len(X)))
    return X.iloc[drawn], rows[drawn], sign


def swapped(rng, X, rows, sign):
    return X.assign(**{name: -X[name] for name in FEATURES}), rows, -sign


def other_index(rng, X, rows, sign):
    index = [range(5, 5 + len(X)), np.zeros(len(X)), [f"{i}" for i in range(len(X))]]
    return X.set_axis(pd.Index(index[rng.integers(3)]), axis=0), rows, sign


def users_retyped(rng, X, rows, sign):
    kinds = ["category", "object", "int8", "float64", "Int64", "int64[pyarrow]"]
    return X.assign(user=X["user"].astype(kinds[rng.integers(6)])), rows, sign


def numbers_retyped(rng, X, rows, sign):
    kinds = ["object", "float64", "Float64", "double[pyarrow]"]
    return X.astype({FEATURES[rng.integers(6)]: kinds[rng.integers(4)]}), rows, sign


def in_other_memory(rng, X, rows, sign):
    values = np.asfortranarray(X[FEATURES].to_numpy(dtype=float))[::-1][::-1]
    values.setflags(write=False)
    frame = pd.DataFrame(values, columns=FEATURES, index=X.index, copy=False)
    return frame.assign(user=X["user"]), rows, sign


MUTATIONS = [
    permuted,
    some,
    repeated,
    swapped,
    other_index,
    users_retyped,
    numbers_retyped,
    in_other_memory,
]


def as_polars(X):
    return pl.DataFrame({name: X[name].to_numpy(dtype=float).tolist() for name in X})


def as_arrow(X):
    return pa.table({name: X[name].to_numpy(dtype=float) for name in X})


def test_two_hundred_mutations():
    data = make_preferences(20, 10, n_features=6, random_state=0)
    X = data.X.set_axis([*FEATURES, "user"], axis=1).reset_index(drop=True)
    model = PafoRewardEstimator(no_harm=None, distill_weight=0.0, random_state=0)
    model.fit(X, data.y, groups=data.groups)
    expected = model.decision_function(X)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(MUTATIONS), rng.integers(1, 6))
        mutated, rows, sign = X, np.arange(len(X)), 1
        for number in chosen:
            mutated, rows, sign = MUTATIONS[number](rng, mutated, rows, sign)
        convert = [lambda X: X, as_polars, as_arrow][seed % 3]
        found = model.decision_function(convert(mutated))
        names = [MUTATIONS[number].__name__ for number in chosen]
        np.testing.assert_allclose(
            found, sign * expected[rows], rtol=1e-9, atol=1e-12, err_msg=f"{seed}: {names}"
        )

"""Winners and losers on random sides, with their other columns."""

import numpy as np
import pandas as pd

from pafo_sk.datasets._bunch import text_bunch


def bunch(seed=0, n_rows=200, **settings):
    rows = np.arange(n_rows)
    frame = pd.DataFrame({"winner": rows, "loser": -rows, "user": rows % 7, "y": 9, "extra": rows})
    return text_bunch(frame, rng=np.random.RandomState(seed), descr="d", **settings)


def test_the_label_names_the_side_of_the_winner():
    data = bunch()
    sides = data.X[["response_a", "response_b"]].to_numpy()
    won = sides[np.arange(200), data.y]
    np.testing.assert_array_equal(won, data.frame["extra"])
    np.testing.assert_array_equal(sides.sum(axis=1), 0)
    assert sorted(won) == list(range(200))
    assert won.tolist() != sorted(won)
    assert 70 < data.y.sum() < 130
    assert list(data.X.columns) == ["response_a", "response_b", "user"]
    assert list(data.frame.columns) == ["response_a", "response_b", "user", "extra", "y"]
    assert data.groups is None
    np.testing.assert_array_equal(data.users, won % 7)


def test_noise_flips_labels_and_keeps_those_before():
    data = bunch(noise=0.25, shuffle=False, more=3)
    assert data.more == 3
    assert 0.15 < np.mean(data.y != data.frame["y_clean"]) < 0.35
    sides = data.X[["response_a", "response_b"]].to_numpy()
    np.testing.assert_array_equal(sides[np.arange(200), data.frame["y_clean"]], np.arange(200))

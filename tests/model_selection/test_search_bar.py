"""The bar of a search."""

import numpy as np
import pytest

from pafo_sk.model_selection import GroupGridSearchCV

GRID = {"no_harm": [0.005, None, 0.1]}


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_verbose_draws_a_bar(n_jobs, data, quick, capfd):
    pytest.importorskip("sklearn.callback", reason="bars of searches need scikit-learn 1.9")
    quiet = GroupGridSearchCV(quick(), GRID, cv=2, n_jobs=n_jobs)
    quiet.fit(data.X, data.y, groups=data.groups)
    assert capfd.readouterr() == ("", "")
    shown = GroupGridSearchCV(quick(), GRID, cv=2, n_jobs=n_jobs, verbose=1)
    shown.fit(data.X, data.y, groups=data.groups)
    assert "search" in (out := capfd.readouterr().out)
    assert "100%" in out
    assert not hasattr(shown, "_skl_callbacks")
    np.testing.assert_array_equal(
        shown.cv_results_["mean_test_score"], quiet.cv_results_["mean_test_score"]
    )


def test_bar_goes_when_a_search_fails(data, quick, capfd):
    search = GroupGridSearchCV(quick(), {"n_folds": [1]}, cv=2, verbose=1, error_score="raise")
    with pytest.raises(ValueError, match="n_folds"):
        search.fit(data.X, data.y, groups=data.groups)
    assert not hasattr(search, "_skl_callbacks")

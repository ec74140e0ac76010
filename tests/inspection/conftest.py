import matplotlib
import matplotlib.pyplot as plt
import pytest

from pafo_sk.datasets import make_preferences


@pytest.fixture(autouse=True)
def matplotlib_as_found():
    """Draw without a screen; afterwards, settings must be those from before."""
    backend = matplotlib.get_backend()
    plt.switch_backend("agg")
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")
    plt.switch_backend(backend)


@pytest.fixture(scope="session")
def people():
    """Comparisons of 30 users in three groups."""
    return make_preferences(
        n_users=30, n_comparisons=16, n_features=6, group_shares=(0.6, 0.2, 0.2), random_state=0
    )


@pytest.fixture(scope="session")
def known(people):
    """Rows of the users that `model` was fitted on: all but the last ten."""
    return people.users < 20


@pytest.fixture(scope="session")
def model(people, known, quick):
    return quick().fit(people.X[known], people.y[known], groups=people.groups[known])


@pytest.fixture(scope="session")
def answers():
    """Eight comparisons of four users, one each in the groups "b" and "c", and two predictions."""
    return {
        "y_true": ["x", "y", "x", "y", "x", "y", "x", "y"],
        "y_pred": {
            "pooled": ["x", "y", "x", "x", "y", "y", "y", "x"],
            "unified": ["x", "y", "x", "y", "x", "y", "y", "y"],
        },
        "groups": list("aaaabbcc"),
        "users": list("ppqqrrss"),
    }

import copy

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from students import BilinearHistory

from pafo_sk.inspection import GateDisplay

GATE = [[0.1, 0.9], [0.3, 0.7], [1.0, 0.0]]
GROUPS = ["b", "b", "a"]


def test_means_by_hand():
    display = GateDisplay.from_predictions(GATE, GROUPS, prior=[0.5, 0.5], pooled_share=0.25)
    expected = [[0.2, 0.8], [1.0, 0.0], [0.5, 0.5]]
    np.testing.assert_allclose(display.im_.get_array(), expected)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == [
        "b\n(2 users)",
        "a\n(1 user)",
        "no history",
    ]
    assert [text.get_text() for text in display.text_] == [
        "20",
        "80",
        "100",
        "0",
        "50",
        "50",
    ]
    assert display.ax_.get_title(loc="right") == "25 % of the reward is the pooled model's"
    assert display.im_.get_clim() == (0, 1)


def test_a_group_named_no_history():
    groups = ["no history", "no history", "a"]
    display = GateDisplay.from_predictions(GATE, groups, prior=[0.5, 0.5])
    np.testing.assert_allclose(display.im_.get_array(), [[0.2, 0.8], [1.0, 0.0], [0.5, 0.5]])
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["no history\n(2 users)", "a\n(1 user)", "no history"]
    alone = GateDisplay.from_predictions(GATE, groups)
    names = [label.get_text() for label in alone.ax_.get_yticklabels()]
    assert names == ["no history\n(2 users)", "a\n(1 user)"]


@pytest.mark.parametrize("labels", [(("b", 1), ("a", 2)), (2, 1), ("b", 1)])
def test_labels_of_groups_stay_as_they_are(labels):
    groups = [labels[0], labels[0], labels[1]]
    display = GateDisplay.from_predictions(GATE, groups, prior=[0.5, 0.5])
    assert display.probability.index.tolist() == [*labels, "no history"]
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == [f"{labels[0]}\n(2 users)", f"{labels[1]}\n(1 user)", "no history"]


def test_numbers_are_read_on_their_cells():
    display = GateDisplay.from_predictions(GATE, GROUPS)
    colors = {text.get_text(): text.get_color() for text in display.text_}
    assert colors["0"] == "white"
    assert colors["100"] == "black"


def test_small_cells_have_no_numbers():
    ax = Figure(figsize=(2, 2)).subplots()
    assert GateDisplay.from_predictions(np.full((3, 10), 0.1), GROUPS, ax=ax).text_ == []


def test_prototypes_are_named_by_their_groups(model, people, known):
    changed = copy.deepcopy(model)
    module = changed.model_.module
    assert len(module.prototype_groups) == module.n_prototypes
    codes = [0, -1, 1, 0, *[2] * module.n_prototypes][: module.n_prototypes]
    module.prototype_groups = codes
    display = GateDisplay.from_estimator(changed, people.X[known], people.groups[known])
    first, second = ("1 of ", "2 of ") if codes.count(0) == 2 else ("", "")
    expected = [first + str(model.groups_[0]), "shared", str(model.groups_[1])]
    expected.append(second + str(model.groups_[0]))
    assert display.probability.columns.tolist()[:4] == expected[: len(codes)]
    assert [label.get_text() for label in display.ax_.get_xticklabels()][:3] == expected[:3]
    # a file of a version that did not write them
    module.prototype_groups = None
    display = GateDisplay.from_estimator(changed, people.X[known], people.groups[known])
    assert display.probability.columns.tolist() == list(range(module.n_prototypes))


def test_many_prototypes_have_no_numbers():
    display = GateDisplay.from_predictions(np.full((3, 13), 1 / 13), GROUPS)
    assert display.text_ == []
    assert display.im_.get_array().shape == (2, 13)


def test_fitted_model(model, people, known):
    X, groups = people.X[known], people.groups[known]
    display = GateDisplay.from_estimator(model, X, groups)
    module, history = model.model_.module, model.history_
    gate = module.gate(torch.as_tensor(history.sums)).detach().numpy()
    group_of_user = dict(zip(X["user"], groups, strict=True))
    group = np.array([group_of_user[user] for user in history.users])
    for label in set(groups):
        np.testing.assert_allclose(
            display.probability.loc[label], gate[group == label].mean(axis=0)
        )
    prior = torch.softmax(module.log_share + module.prior_offset, dim=0).detach()
    np.testing.assert_allclose(display.probability.loc["no history"], prior)
    np.testing.assert_allclose(display.probability.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"strategy": "pooled"}, "one reward for everybody.*strategy='pafo'"),
        ({"student": "plain"}, "one reward for everybody.*student='mixture'"),
        (
            {"student": BilinearHistory, "n_prototypes": 0},
            "BilinearHistory.* has no prototypes.*student='mixture'",
        ),
        ({"n_prototypes": 0}, "single prototype, the pooled model.*n_prototypes=1 or 3"),
    ],
)
def test_models_without_a_gate(params, why, people, quick):
    model = quick(**params).fit(people.X, people.y, groups=people.groups)
    with pytest.raises(ValueError, match=why):
        GateDisplay.from_estimator(model, people.X, people.groups)


def test_clear_errors(model, people, known):
    with pytest.raises(ValueError, match=r"knows nothing of 10 users.*model.enroll"):
        GateDisplay.from_estimator(model, people.X, people.groups)
    with pytest.raises(ValueError, match="needs groups"):
        GateDisplay.from_estimator(model, people.X[known])
    groups = people.groups[known].astype(object)
    groups[1] = "group_1" if groups[1] == "group_0" else "group_0"
    with pytest.raises(ValueError, match=r"a user belongs to one group.*differ from"):
        GateDisplay.from_estimator(model, people.X[known], groups)
    with pytest.raises(ValueError, match="2 labels for 3 users"):
        GateDisplay.from_predictions(GATE, ["a", "b"])
    with pytest.raises(TypeError, match="needs a fitted PafoRewardEstimator, got str"):
        GateDisplay.from_estimator("model", people.X)

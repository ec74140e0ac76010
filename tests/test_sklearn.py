"""The estimator inside scikit-learn: its checks, clones, pipelines and searches."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.metadata_routing import get_routing_for_object

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._encoding import loading as _encoder_loading

GRID = {"distill_weight": [0.0, 0.5], "margin_temperature": [1.0, 2.0]}


@pytest.mark.filterwarnings("ignore:No groups reached fit")
@parametrize_with_checks([PafoRewardEstimator()])
def test_check_estimator(estimator, check, monkeypatch):
    """scikit-learn's own assertions, all of them: nothing is expected to fail."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # one check is skipped without
    check(estimator)


def test_all_checks_run():
    """No check is dropped by a tag of ours."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.estimator_checks import estimator_checks_generator

    def names(estimator):
        checks = estimator_checks_generator(estimator)
        return {getattr(check, "func", check).__name__ for _, check in checks}

    # what LogisticRegression has and we have not
    other = ("sparse_data", "class_weight", "array_api", "sparsify")
    missing = names(LogisticRegression()) - names(PafoRewardEstimator())
    assert not {name for name in missing if not any(part in name for part in other)}
    tags = PafoRewardEstimator().__sklearn_tags__()
    assert not tags.classifier_tags.multi_class
    assert not tags.input_tags.sparse
    assert not tags.no_validation
    assert not tags.classifier_tags.poor_score
    assert not tags.non_deterministic


# Clones and parameters


def test_clone(data, quick):
    net = RewardNet(MLPHead, module__hidden=3)
    model = PafoRewardEstimator(
        reward_net=net, encode_params={"batch_size": 2}, group_weights={"a": 1}, random_state=3
    )
    copied = clone(model)
    assert copied.reward_net is not net
    assert copied.reward_net.module__hidden == 3
    assert copied.encode_params == {"batch_size": 2}
    assert copied.encode_params is not model.encode_params
    params, expected = copied.get_params(deep=False), model.get_params(deep=False)
    assert params.keys() == expected.keys()
    assert all(params[k] == expected[k] for k in params if k != "reward_net")
    fitted = quick().fit(data.X, data.y, groups=data.groups)
    assert not [name for name in vars(clone(fitted)) if name.endswith("_")]


def test_clone_shares_an_encoder_object(letter_encoder, tiny_encoder):
    for encoder in (letter_encoder, tiny_encoder):
        model = PafoRewardEstimator(encoder=encoder)
        assert clone(model).encoder is encoder
        assert clone(make_pipeline(model))[-1].encoder is encoder
        search = GridSearchCV(model, {"encoder": [encoder]})
        assert clone(search).estimator.encoder is encoder


def test_clone_refuses_a_subclass_that_changes_a_parameter(letter_encoder):
    """Every clone would double it again, in a search without a word."""

    class Doubled(PafoRewardEstimator):
        def __init__(self, *, margin_temperature=1.0, encoder=letter_encoder):
            super().__init__(margin_temperature=2 * margin_temperature, encoder=encoder)

    with pytest.raises(RuntimeError, match=r"Cannot clone.*modifies parameter margin_temperature"):
        clone(Doubled())


def test_clone_keeps_requests():
    with config_context(enable_metadata_routing=True):
        model = PafoRewardEstimator().set_fit_request(groups=False)
        requests = clone(model).get_metadata_routing().fit.requests
        assert requests == {"groups": False, "sample_weight": True}


def test_parameters():
    model = PafoRewardEstimator(reward_net=RewardNet(MLPHead))
    assert model.get_params()["reward_net__module"] is MLPHead
    model.set_params(reward_net__module__hidden=5, reward_net__lr=0.1, distill_weight=0.1)
    assert (model.reward_net.module__hidden, model.reward_net.lr) == (5, 0.1)
    assert model.distill_weight == 0.1
    with pytest.raises(ValueError, match="Invalid parameter 'distil_weight'"):
        model.set_params(distil_weight=1)
    with pytest.raises(TypeError, match="positional"):
        PafoRewardEstimator("all-MiniLM-L6-v2")


def test_contract_of_the_constructor():
    defaults = PafoRewardEstimator().get_params(deep=False)
    wanted = {
        "encoder": "all-MiniLM-L6-v2",
        "user": "user",
        "group_column": None,
        "missing_groups": "infer",
        "strategy": "pafo",
        "reward_net": None,
        "conditioning": "group",
        "distill_weight": "auto",
        "distill_loss": "soft_bt",
        "random_state": None,
    }
    assert wanted.items() <= defaults.items()
    others = "encode_params cache student specialist_shrinkage n_folds margin_temperature"
    others += " group_weights no_harm device n_jobs verbose"
    assert defaults.keys() >= wanted.keys() | set(others.split())


def test_repr():
    assert repr(PafoRewardEstimator()) == "PafoRewardEstimator()"
    text = repr(PafoRewardEstimator(user="voter", distill_weight=0.25))
    assert text == "PafoRewardEstimator(distill_weight=0.25, user='voter')"


def test_display_loads_no_encoder(tiny_encoder_path, monkeypatch):
    monkeypatch.setattr(_encoder_loading, "_models", {})
    model = PafoRewardEstimator(encoder=tiny_encoder_path)
    html = make_pipeline(model)._repr_html_()
    assert "PafoRewardEstimator" in html
    for name in dir(model):
        getattr(model, name, None)
    assert _encoder_loading._models == {}
    assert is_classifier(model)


@pytest.mark.slow
def test_display_imports_no_encoder():
    code = (
        "import sys\n"
        "from pafo_sk import PafoRewardEstimator\n"
        "model = PafoRewardEstimator()\n"
        "model._repr_html_(), repr(model), [getattr(model, name, 0) for name in dir(model)]\n"
        "print([m for m in ('sentence_transformers', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Pipelines


def scaled_by_column(model):
    features = [f"x{j}" for j in range(6)]
    scaler = ColumnTransformer(
        [("scale", StandardScaler(), features)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(scaler, model).set_output(transform="pandas")


@pytest.mark.filterwarnings("error::UserWarning")
def test_pipeline_of_numbers(data, quick):
    X = data.X.drop(columns="user")
    pipe = make_pipeline(StandardScaler(), quick(user=None))
    pipe.fit(X, data.y, paforewardestimator__groups=data.groups)
    scaled = StandardScaler().fit_transform(X)
    expected = quick(user=None).fit(scaled, data.y, groups=data.groups)
    np.testing.assert_array_equal(pipe.decision_function(X), expected.decision_function(scaled))
    assert pipe.score(X, data.y) == expected.score(scaled, data.y)
    assert pipe[-1].groups_source_ == "groups"
    assert not hasattr(pipe[-1], "feature_names_in_")


@pytest.mark.filterwarnings("error::UserWarning")
def test_pipeline_that_hands_users_on(data, quick):
    pipe = scaled_by_column(quick(no_harm=None))
    with config_context(enable_metadata_routing=True):
        pipe.fit(data.X, data.y, groups=data.groups)
    model = pipe[-1]
    assert model.groups_source_ == "groups"
    assert model.feature_names_in_.tolist() == [f"x{j}" for j in range(6)]
    assert len(model.history_) == 20
    known, strange = (pipe.decision_function(data.X.assign(user=u)) for u in (data.users, -1))
    assert not np.array_equal(known, strange)


@pytest.mark.filterwarnings("error::UserWarning")
def test_pipeline_in_a_search(data, quick):
    """Its score is called with sample_weight=None, which must not make it nan."""
    grid = {"paforewardestimator__distill_weight": [0.0, 0.5]}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(scaled_by_column(quick()), grid, cv=2, error_score="raise")
        search.fit(data.X, data.y, groups=data.groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].groups_source_ == "groups"

    search = GridSearchCV(make_pipeline(StandardScaler(), quick(user=None)), grid, cv=2)
    search.fit(data.X.drop(columns="user"), data.y, paforewardestimator__groups=data.groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].groups_source_ == "groups"


# Cross-validation


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("routing", [False, True])
def test_cross_validate(routing, data, quick):
    with config_context(enable_metadata_routing=routing):
        scores = cross_validate(
            quick(),
            data.X,
            data.y,
            params={"groups": data.groups},
            cv=2,
            scoring=["accuracy", "roc_auc", "neg_log_loss"],
            return_estimator=True,
            error_score="raise",
        )
    for name in ("accuracy", "roc_auc", "neg_log_loss"):
        assert np.isfinite(scores[f"test_{name}"]).all()
    assert scores["test_accuracy"].mean() > 0.6
    assert [e.groups_source_ for e in scores["estimator"]] == ["groups"] * 2


def test_scorers_read_the_margin(data, quick):
    model = quick().fit(data.X, data.y, groups=data.groups)
    accuracy = np.mean(model.predict(data.X) == data.y)
    assert model.score(data.X, data.y) == accuracy
    assert get_scorer("accuracy")(model, data.X, data.y) == accuracy
    weight = np.arange(len(data.y))
    expected = np.average(model.predict(data.X) == data.y, weights=weight)
    assert model.score(data.X, data.y, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.filterwarnings("error::UserWarning")
def test_cross_val_predict_by_users(data, quick):
    """Users held out whole get the population's reward."""
    probability = cross_val_predict(
        quick(group_column="group"),
        data.X.assign(group=data.groups),
        data.y,
        groups=data.users,
        cv=GroupKFold(2),
        method="predict_proba",
    )
    assert probability.shape == (200, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert np.mean((probability[:, 1] > 0.5) == data.y) > 0.55


# Requests


def test_requests():
    with config_context(enable_metadata_routing=True):
        routing = get_routing_for_object(PafoRewardEstimator())
        assert routing.fit.requests == {"groups": True, "sample_weight": True}
        for method in ("predict", "predict_proba", "decision_function"):
            assert getattr(routing, method).requests == {}
        model = PafoRewardEstimator().set_score_request(sample_weight=True)
        assert model.get_metadata_routing().score.requests["sample_weight"] is True

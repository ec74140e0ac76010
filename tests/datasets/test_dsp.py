"""DSP: what is labelled how, and every way in which a file may be wrong."""

import json

import numpy as np
import pandas as pd
import pytest

from pafo_sk.datasets import load_dsp

DOMAINS = ["academy", "business", "entertainment", "literature", "normal"]


def make_items(n_queries=20, as_text=False):
    """Items of the real format; the text of a response names its domain and query."""
    items = []
    for query in range(n_queries):
        responses = {domain: f"{domain} {query}" for domain in DOMAINS}
        items.append({"query": f"q{query}", "responses": str(responses) if as_text else responses})
    return items


def write(folder, items, name="domain_specific_preference.json"):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(items if isinstance(items, str) else json.dumps(items), encoding="utf-8")
    return file


@pytest.fixture
def file(tmp_path):
    return write(tmp_path, make_items())


def test_the_only_pair_by_hand(tmp_path):
    items = [{"query": "Rain?", "responses": {"academy": "Precipitation.", "normal": ""}}]
    data = load_dsp(
        write(tmp_path, items),
        users={"academy": 1},
        against=["normal"],
        n_comparisons=1,
        noise=0,
        random_state=0,
    )
    assert list(data.X.columns) == ["prompt", "response_a", "response_b", "user"]
    row = data.X.iloc[0]
    assert row["prompt"] == "Rain?"
    assert [row["response_a"], row["response_b"]][data.y[0]] == "Precipitation."
    assert [row["response_a"], row["response_b"]][1 - data.y[0]] == ""
    assert data.groups.tolist() == ["academy"]
    assert data.users.tolist() == [0]


def test_the_winner_is_of_the_users_domain(file):
    data = load_dsp(file, noise=0, random_state=0)
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(sides))
    won, lost = sides[rows, data.y], sides[rows, 1 - data.y]
    frame = data.frame
    np.testing.assert_array_equal(won, frame["domain"] + " " + frame["query"].astype(str))
    np.testing.assert_array_equal(lost, frame["other"] + " " + frame["query"].astype(str))
    np.testing.assert_array_equal(frame["prompt"], "q" + frame["query"].astype(str))
    np.testing.assert_array_equal(data.groups, frame["domain"])
    assert (frame["domain"] != frame["other"]).all()
    assert "normal" not in set(frame["other"])
    assert not data.frame.isna().any().any()


def test_rows_of_equal_responses_are_counted(tmp_path):
    items = make_items(10)
    for item in items[:3]:
        item["responses"]["business"] = item["responses"]["academy"]
    path = write(tmp_path, items)
    data = load_dsp(path, users={"academy": 2}, n_comparisons=30, random_state=0)
    assert (data.X["response_a"] == data.X["response_b"]).sum() == 6
    assert "6 of the 60 rows compare two equal texts" in " ".join(data.DESCR.split())


def test_default_population(file):
    data = load_dsp(file, random_state=0)
    assert len(data.X) == len(data.y) == len(data.groups) == len(data.users) == 3800
    assert set(np.unique(data.users, return_counts=True)[1]) == {38}
    assert data.frame.groupby("domain")["user"].nunique().to_dict() == {
        "academy": 60,
        "business": 20,
        "entertainment": 12,
        "literature": 8,
    }
    assert data.frame.groupby("user")["domain"].nunique().eq(1).all()
    assert 0.4 < data.y.mean() < 0.6
    assert data.n_queries == 20


def test_comparisons_are_distinct_while_possible(file):
    def most_uses(n_comparisons):
        data = load_dsp(file, n_comparisons=n_comparisons, random_state=0)
        return data.frame.groupby(["user", "query", "other"]).size()

    assert most_uses(60).eq(1).all()  # 20 queries x 3 other domains: each pair once
    assert len(most_uses(60)) == 100 * 60
    assert set(most_uses(90)) == {1, 2}
    assert len(most_uses(90)) == 100 * 60


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 0, 0), (0.2, 0.17, 0.23), (1.0, 1, 1)])
def test_noise_flips_that_share_of_labels(file, noise, low, high):
    data = load_dsp(file, noise=noise, random_state=0)
    assert low <= np.mean(data.y != data.frame["y_clean"]) <= high
    np.testing.assert_array_equal(data.frame["y"], data.y)


def test_majority_labels(file):
    users = {"business": 3, "academy": 5, "literature": 4}
    data = load_dsp(file, users=users, labels="majority", random_state=0)
    expected = np.where(data.frame["domain"] == "academy", "majority", "minority")
    np.testing.assert_array_equal(data.groups, expected)


def test_queries_restrict_and_keep_their_position(file):
    data = load_dsp(file, queries=[3, 17], random_state=0)
    assert set(data.frame["query"]) == {3, 17}
    assert set(data.X["prompt"]) == {"q3", "q17"}


def test_reproducible_and_global_generator_untouched(file):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one, two, other = (load_dsp(file, random_state=seed) for seed in (3, 3, 4))
    load_dsp(file, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.X.equals(other.X)


def test_responses_as_text_of_a_dict_or_of_json(tmp_path):
    plain = write(tmp_path / "plain", make_items())
    python = write(tmp_path / "python", make_items(as_text=True))
    items = make_items()
    for item in items:
        item["responses"] = json.dumps(item["responses"])
    as_json = write(tmp_path / "json", items)
    frames = [load_dsp(file, random_state=0).frame for file in (plain, python, as_json)]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])


@pytest.mark.parametrize("place", ["", "dsp"])
@pytest.mark.parametrize(
    "name", ["domain_specific_preference.json", "domain_specific_preference.test.json"]
)
def test_a_folder_will_do(tmp_path, place, name):
    file = write(tmp_path / place, make_items(), name)
    assert load_dsp(tmp_path, random_state=0).filename == str(file)


def test_no_path_is_the_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAFO_SK_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"fetch_dsp\(\)"):
        load_dsp()
    file = write(tmp_path / "dsp", make_items())
    assert load_dsp(random_state=0).filename == str(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is not a JSON file"),
        ({"query": "q"}, "must hold a JSON list"),
        ([], "must hold a JSON list"),
        ([{"query": "q", "responses": {}}, {"query": "q"}], "'responses' in row 1"),
        ([{"query": "q", "responses": "{'academy': "}], "nor the text of one in row 0"),
        (
            [{"query": "q", "responses": dict.fromkeys(DOMAINS[:n], "x")} for n in (5, 3)],
            "no text in responses\\['literature'\\] in row 1",
        ),
    ],
)
def test_malformed_files_are_named(tmp_path, content, message):
    file = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        load_dsp(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"users": {"sports": 3}}, r"\['sports'\], but the domains"),
        ({"users": 3}, "users must be a dict"),
        ({"users": {"academy": -1}}, "numbers of users"),
        ({"users": {"academy": 0}}, "numbers of users"),
        ({"against": ["academy", "sports"]}, r"\['sports'\]"),
        ({"against": ["academy"]}, "nothing to compare 'academy' with"),
        ({"against": "academy"}, "'against' parameter"),
        ({"n_comparisons": 0}, "'n_comparisons' parameter"),
        ({"noise": 1.5}, "'noise' parameter"),
        ({"labels": "stance"}, "'labels' parameter"),
        ({"queries": [20]}, "positions from 0 to 19"),
        ({"queries": [-1, 2]}, "positions from 0 to 19"),
        ({"queries": [2, 2]}, "1 distinct of 2"),
        ({"queries": []}, "not empty"),
        ({"queries": [0.5]}, r"positions \(int\)"),
    ],
)
def test_wrong_parameters_are_named(file, parameters, message):
    with pytest.raises(ValueError, match=message):
        load_dsp(file, **parameters)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.*pass path="):
        load_dsp(tmp_path / "nowhere")


def test_real_format(real_data, tmp_path):
    path = real_data / "dsp"
    if not path.is_dir():
        path = write(tmp_path, make_items(458))
    data = load_dsp(path, against=DOMAINS, n_comparisons=200, random_state=0)
    assert data.n_queries == 458
    assert not data.frame.isna().any().any()
    sides = data.X[["response_a", "response_b"]].to_numpy()
    won = sides[np.arange(len(sides)), data.frame["y_clean"]]
    lost = sides[np.arange(len(sides)), 1 - data.frame["y_clean"]]
    frame = data.frame.assign(won=won, lost=lost)
    # What wins for a domain's users is what loses to the users of every other domain.
    wins = frame.groupby(["query", "domain"])["won"].unique().str[0]
    losses = frame.groupby(["query", "other"])["lost"].unique().str[0]
    losses = losses.rename_axis(["query", "domain"]).reindex(wins.index).dropna()
    assert frame.groupby(["query", "domain"])["won"].nunique().eq(1).all()
    assert len(losses) > 1500
    assert (losses == wins[losses.index]).all()

"""PersonalLLM: rewards by hand, weights that survive small alpha, tables that are none."""

from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from pafo_sk.datasets import fetch_personal_llm, load_personal_llm
from pafo_sk.datasets._personal_llm import REMOTES, _dirichlet


def make_table(n_prompts=30, n_responses=8, models=("gemma_2b", "mistral_ray", "oasst"), seed=0):
    """A table in the published format, with random rewards on different scales."""
    rng = np.random.RandomState(seed)
    table = {"prompt": [f"p{p}" for p in range(n_prompts)], "subset": ["s"] * n_prompts}
    for i in range(1, n_responses + 1):
        table[f"response_{i}"] = [f"p{p} r{i}" for p in range(n_prompts)]
        table[f"response_{i}_model"] = [f"llm/{i}"] * n_prompts
        for scale, model in enumerate(models):
            table[f"response_{i}_{model}"] = 10.0**scale * rng.randn(n_prompts) + scale
    return pd.DataFrame(table)


def test_one_reward_model_by_hand():
    table = pd.DataFrame(
        {
            "prompt": ["p", "q"],
            "response_1": ["p good", "q bad"],
            "response_2": ["p bad", "q good"],
            "response_1_rm": [3.0, -1.0],
            "response_2_rm": [1.0, 5.0],
        }
    )
    data = load_personal_llm(table, n_users=3, n_comparisons=20, random_state=0)
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(60)
    assert set(sides[rows, data.y]) == {"p good", "q good"}
    assert set(sides[rows, 1 - data.y]) == {"p bad", "q bad"}
    assert (data.X["prompt"] == data.X["response_a"].str[0]).all()
    assert set(data.groups) == {"rm"}
    std = np.sqrt((1 + 9 + 1 + 9) / 4)  # of 3, -1, 1, 5 around their mean, 2
    margins = data.frame.groupby("prompt")["margin"].first()
    np.testing.assert_allclose(margins[["p", "q"]], [2 / std, 6 / std])


def test_rewards_are_weighed_and_standardised():
    table = make_table()
    data = load_personal_llm(table, alpha=1.0, n_users=20, random_state=0)
    frame = data.frame
    models = ["gemma_2b", "mistral_ray", "oasst"]
    assert data.user_weights.columns.to_list() == models
    np.testing.assert_allclose(data.user_weights.sum(axis=1), 1)
    reward = {"winner": 0.0, "loser": 0.0}
    for model in models:
        values = table[[f"response_{i}_{model}" for i in range(1, 9)]].to_numpy()
        values = (values - values.mean()) / values.std()
        weight = data.user_weights[model].to_numpy()[data.users]
        for side in reward:
            number = frame[f"{side}_response"] - 1
            reward[side] += weight * values[frame["prompt_index"], number]
    np.testing.assert_allclose(frame["margin"], reward["winner"] - reward["loser"], atol=1e-12)
    assert (frame["margin"] >= 0).all()
    sides = data.X[["response_a", "response_b"]].to_numpy()
    expected = frame["prompt"] + " r" + frame["winner_response"].astype(str)
    np.testing.assert_array_equal(sides[np.arange(len(frame)), data.y], expected)
    dominant = data.user_weights.idxmax(axis=1).to_numpy()
    np.testing.assert_array_equal(data.groups, dominant[data.users])
    pairs = np.sort(frame[["winner_response", "loser_response"]], axis=1)
    assert set(map(tuple, pairs.tolist())) == set(combinations(range(1, 9), 2))
    assert len(frame) == 600
    assert not frame.isna().any().any()


def test_majority_of_unequal_alpha():
    size = {"alpha": [0.01, 0.06, 0.03], "n_users": 2000, "n_comparisons": 1}
    data = load_personal_llm(make_table(), group_by="majority", random_state=0, **size)
    shares = data.frame["reward_model"].value_counts(normalize=True)
    np.testing.assert_allclose(shares.sort_index(), [0.1, 0.6, 0.3], atol=0.04)
    expected = np.where(data.frame["reward_model"] == "mistral_ray", "majority", "minority")
    np.testing.assert_array_equal(data.groups, expected)


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.01, 1.0, 50.0])
def test_dirichlet(alpha):
    weights = _dirichlet(np.full(10, alpha), 20000, np.random.RandomState(0))
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 0.1, atol=0.01)
    variance = 0.1 * 0.9 / (10 * alpha + 1)
    np.testing.assert_allclose(weights.var(axis=0), variance, rtol=0.06)


def test_ties_are_won_by_either():
    table = make_table(n_prompts=2, n_responses=2, models=("a", "b"))
    table["response_1_a"] = table["response_2_a"] = [0.0, 1.0]
    data = load_personal_llm(table, alpha=[1.0, 1e-9], n_users=1, n_comparisons=400, random_state=0)
    assert (data.frame["margin"] < 1e-9).all()
    assert 0.4 < (data.frame["winner_response"] == 1).mean() < 0.6


def test_files_and_tables_read_alike(tmp_path):
    table = make_table()
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_csv(tmp_path / "t.csv.gz", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    frames = [
        load_personal_llm(source, random_state=0).frame
        for source in (
            table,
            pl.from_pandas(table),
            tmp_path / "t.csv",
            str(tmp_path / "t.csv.gz"),
            tmp_path / "t.parquet",
        )
    ]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frames[0], frame)


def test_csv_keeps_texts_as_they_are(tmp_path):
    table = make_table(n_prompts=4, n_responses=2)
    table["prompt"] = ["None", "007", "1e3", "TRUE"]
    table["response_1"] = ["N/A", "nan", "null", "12"]
    table["response_2"] = ["NA", "1", "2.50", " x "]
    table.to_csv(tmp_path / "t.csv", index=False)
    read, given = (load_personal_llm(t, random_state=0) for t in (tmp_path / "t.csv", table))
    assert set(read.X["prompt"]) == {"None", "007", "1e3", "TRUE"}
    # pandas 2 reads numbers that differ from the written ones in the last digit
    pd.testing.assert_frame_equal(read.frame, given.frame, rtol=1e-12)
    table.assign(response_2=["x", "", "y", "z"]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="no text in 'response_2' in row 1"):
        load_personal_llm(tmp_path / "t.csv")
    table.assign(response_2_oasst=["1", "2", "N/A", "3"]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match="'response_2_oasst' is not a finite number in row 2"):
        load_personal_llm(tmp_path / "t.csv")


def test_reproducible():
    one, two, other = (load_personal_llm(make_table(), random_state=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.X.equals(other.X)


def change(**columns):
    """The table with columns replaced; None: dropped."""
    table = make_table().assign(**columns)
    return table.drop(columns=[name for name, value in columns.items() if value is None])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (change(prompt=None), "and no prompt"),
        (change(response_3_oasst=None), "no column 'response_3_oasst'"),
        (change(response_8=None), r"\['response_8_gemma_2b', .* do not exist"),
        (change(response_2_oasst="high"), "'response_2_oasst' is not a finite number in 30 rows"),
        (change(response_2_oasst=[np.inf] + [0.0] * 29), "'response_2_oasst' .* in row 0"),
        (change(response_4=[None] * 2 + ["x"] * 28), "text in 'response_4' in 2 rows, first 0, 1"),
        (make_table(models=()), "8 response columns and 0 reward models"),
        (make_table(n_responses=1), "1 response columns"),
        (make_table(n_responses=2).assign(response_1_oasst=0.1, response_2_oasst=0.1),
         r"reward models \['oasst'\] give every response the same"),
    ],
)  # fmt: skip
def test_malformed_tables_are_named(table, message):
    with pytest.raises(ValueError, match=message):
        load_personal_llm(table)


@pytest.mark.parametrize("name", ["prompt", "response_1", "response_2_oasst"])
def test_repeated_columns_are_named(name):
    table = make_table()
    with pytest.raises(ValueError, match=f"several columns '{name}'"):
        load_personal_llm(pd.concat([table, table[[name]]], axis=1))


def test_rows_of_equal_responses_are_counted():
    table = make_table(n_responses=2)
    table.loc[:9, "response_2"] = table.loc[:9, "response_1"]
    data = load_personal_llm(table, random_state=0)
    n_equal = (data.X["response_a"] == data.X["response_b"]).sum()
    assert 0 < n_equal < len(data.X) / 2
    text = f"{n_equal} of the {len(data.X)} rows compare two equal texts"
    assert text in " ".join(data.DESCR.split())


def test_responses_keep_the_numbers_of_their_columns():
    table = make_table(n_responses=3)
    table.columns = [name.replace("response_2", "response_10") for name in table.columns]
    data = load_personal_llm(table, random_state=0)
    texts = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(texts))
    for name, won in (("winner_response", data.y), ("loser_response", 1 - data.y)):
        assert set(data.frame[name]) == {1, 3, 10}
        columns = "response_" + data.frame[name].astype(str)
        cells = zip(data.frame["prompt_index"], columns, strict=True)
        assert texts[rows, won].tolist() == [table.at[cell] for cell in cells]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0}, "'alpha' parameter"),
        ({"alpha": [0.1, 0.1]}, r"3 reward models \['gemma_2b', 'mistral_ray', 'oasst'\]"),
        ({"alpha": [0.1, 0.1, -1]}, "alpha must be"),
        ({"alpha": [0.1, 0.1, np.nan]}, "alpha must be"),
        ({"alpha": [0.1, 0.1, np.inf]}, "alpha must be"),
        ({"alpha": np.nan}, "'alpha' parameter"),
        ({"n_users": 0}, "'n_users' parameter"),
        ({"n_comparisons": 0}, "'n_comparisons' parameter"),
        ({"group_by": "stance"}, "'group_by' parameter"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        load_personal_llm(make_table(), **parameters)


def test_wrong_sources_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        load_personal_llm(tmp_path / "nowhere.csv")
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(ValueError, match=r"t\.xlsx must be a \.csv or \.parquet"):
        load_personal_llm(tmp_path / "t.xlsx")
    with pytest.raises(TypeError, match=r"path_or_frame must be .* got list"):
        load_personal_llm([1, 2])


def test_the_interaction_format_is_recognised(real_data, tmp_path):
    file = real_data / "personal_llm" / "interactions_sample.csv"
    if not file.is_file():
        file = tmp_path / file.name
        row = {"person_weight": "[1.0, 0.0]", "prompt_1": "p", "response_1": "r", "reward_1": 1.7}
        row |= {"prompt_2": "q", "response_2": "s", "reward_2": -0.6, "prompt": "t", "person_id": 0}
        pd.DataFrame([row] * 5).to_csv(file, index=False)
    with pytest.raises(ValueError, match="interaction format") as caught:
        load_personal_llm(file)
    assert str(file) in str(caught.value)
    assert "response_1_<reward model>" in str(caught.value)


# Fetched


def test_fetch_uses_the_file_that_is_there(tmp_path):
    with pytest.raises(ValueError, match=r"split must be one of \['test', 'train'\]"):
        fetch_personal_llm(data_home=tmp_path, split="validation")
    message = r"huggingface.co/datasets/namkoong-lab/PersonalLLM.*train-00000-of-00001.parquet"
    with pytest.raises(FileNotFoundError, match=message + " and save it there"):
        fetch_personal_llm(data_home=tmp_path, download_if_missing=False)
    file = tmp_path / "personal_llm" / "personal_llm.train.parquet"
    file.parent.mkdir()
    make_table().to_parquet(file)
    options = {"n_users": 5, "n_comparisons": 4, "random_state": 0}
    data = fetch_personal_llm(data_home=tmp_path, **options)
    pd.testing.assert_frame_equal(data.frame, load_personal_llm(file, **options).frame)
    make_table(seed=1).to_parquet(file)
    with pytest.raises(OSError, match="Wrong checksum"):
        fetch_personal_llm(data_home=tmp_path)


def test_fetch_downloads_the_split(tmp_path, monkeypatch):
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash))
        path.mkdir(parents=True, exist_ok=True)
        make_table().to_parquet(path / fname)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    for _ in range(2):
        fetch_personal_llm(data_home=tmp_path, split="test", n_users=5)
    assert asked == [(REMOTES["test"].url, None)]
    assert asked[0][0].endswith("/data/test-00000-of-00001.parquet")

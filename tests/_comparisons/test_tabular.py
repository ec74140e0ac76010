"""Tables of other libraries are taken, or refused with the call that makes one that is."""

import dask.dataframe as dd
import datasets as hf
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.tabular import as_frame, is_frame
from pafo_sk.datasets import from_chosen_rejected
from pafo_sk.model_selection import GroupGridSearchCV, UnlinkedKFold

X = pd.DataFrame({"response_a": ["a", "b", "c"], "response_b": ["b", "c", "d"], "user": [1, 2, 1]})
DATASET = hf.Dataset.from_pandas(X)

TAKEN = {
    "record batch": pa.RecordBatch.from_pandas(X),
    "records": X.to_dict("records"),
    "tuple of records": tuple(X.to_dict("records")),
    "Dataset": DATASET,
    "dict of columns": X.to_dict("list"),
}
REFUSED = {
    "DatasetDict": (
        hf.DatasetDict(train=DATASET),
        "['train']. Pass one of them: X['train']",
    ),
    "streamed splits": (hf.IterableDatasetDict(test=DATASET.to_iterable_dataset()), "X['test']"),
    "IterableDataset": (DATASET.to_iterable_dataset(), "datasets.Dataset.from_list(list(X))"),
    "LazyFrame": (
        pl.from_pandas(X).lazy(),
        "LazyFrame of polars, which is not in memory yet",
    ),
    "reader": (pa.Table.from_pandas(X).to_reader(), "Pass X.read_all()"),
    "dask": (dd.from_pandas(X, npartitions=1), "Pass X.compute()"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_taken(kind):
    columns = Columns(TAKEN[kind])
    assert is_frame(TAKEN[kind])
    assert len(columns) == 3
    for name in X:
        assert columns.values(name).tolist() == X[name].tolist()


def test_a_repeated_column_that_nobody_reads():
    table = pa.Table.from_pandas(X).append_column("note", [[1, 2, 3]])
    columns = Columns(table.append_column("note", [[4, 5, 6]]))
    assert columns.texts("response_a").tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="X has 2 columns named 'note'"):
        columns.values("note")
    twice = pa.concat_tables([table]).append_column("response_a", [["x", "y", "z"]])
    with pytest.raises(ValueError, match="X has 2 columns named 'response_a'"):
        Columns(twice).texts("response_a")


def test_half_an_emoji_in_records(texts, quick, letter_encoder):
    """They are read as columns are, which Arrow's strings cannot hold either."""
    model = quick(encoder=letter_encoder, strategy="pooled").fit(texts.X, texts.y)
    records = [{"prompt": "p", "response_a": "\ud83d x", "response_b": "b", "user": 1}] * 2
    columns = {name: [record[name] for record in records] for name in records[0]}
    margin = model.decision_function(columns)
    for given in (records, tuple(records)):
        np.testing.assert_array_equal(model.decision_function(given), margin)
    items = [{"prompt": "p", "response": "\ud83d x", "user": 1}]
    np.testing.assert_array_equal(model.reward(items), model.reward(items[0]))
    fitted = quick(encoder=letter_encoder, strategy="pooled").fit(records, [0, 1])
    assert fitted.predict(records).shape == (2,)


def test_a_single_record():
    columns = Columns(X.to_dict("records")[1])
    assert (len(columns), columns.texts("response_a").tolist()) == (1, ["b"])


def test_a_record_of_messages_is_one_record(texts, quick, letter_encoder):
    message = {"role": "user", "content": "tea?"}
    record = {"prompt": [message] * 3, "response_a": "tea", "response_b": "ale"}
    assert len(Columns(record)) == len(Columns({**record, "response_a": message, "user": 3})) == 1
    columns = {"prompt": [[message]] * 3, "response_a": ["tea"] * 3, "user": "ann"}
    assert len(Columns(columns)) == len(Columns({**columns, "prompt": [message] * 3})) == 3
    model = quick(encoder=letter_encoder, strategy="pooled", user=None)
    model.fit(texts.X.drop(columns="user"), texts.y)
    assert model.decision_function(record).shape == (1,)
    item = {"prompt": [message] * 3, "response": "tea"}
    np.testing.assert_array_equal(model.reward(item), model.reward([item]))


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind, quick):
    frame, remedy = REFUSED[kind]
    assert is_frame(frame)
    for call in (
        lambda: InputReader().fit(frame, quick()),
        lambda: list(UnlinkedKFold().split(frame)),
    ):
        with pytest.raises(TypeError) as raised:
            call()
        assert remedy in str(raised.value)
    with pytest.raises(TypeError, match="frame"):
        from_chosen_rejected(frame)


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], np.ones((2, 2)), None, "text", [1]])
def test_arrays_and_lists_of_numbers_are_no_tables(values):
    assert not is_frame(values)


def test_a_transform_is_applied_to_all_rows_as_to_some():
    loud = DATASET.with_transform(
        lambda rows: {**rows, "response_a": [t.upper() for t in rows["response_a"]]}
    )
    expected = ["A", "B", "C"]
    assert Columns(loud).texts("response_a").tolist() == expected
    assert Columns(loud[1:]).texts("response_a").tolist() == expected[1:]
    assert Columns(loud.select([2])).texts("response_a").tolist() == expected[2:]
    assert as_frame(loud)["response_b"].to_list() == ["b", "c", "d"]


def test_a_search_over_a_dataset(texts, quick, letter_encoder):
    scores = [
        GroupGridSearchCV(quick(encoder=letter_encoder, strategy="pooled"), {"n_folds": [3]}, cv=2)
        .fit(frame, texts.y)
        .best_score_
        for frame in (texts.X, hf.Dataset.from_pandas(texts.X), texts.X.to_dict("list"))
    ]
    assert scores[0] == scores[1] == scores[2]


def test_series_are_not_sorted_by_their_indices():
    columns = {name: X[name].to_list() if name == "user" else X[name] for name in X}
    shuffled = columns | {"response_b": X["response_b"].set_axis([2, 0, 1])}
    message = r"X holds Series .* 'response_a' with \[0, 1, 2\] and 'response_b' with \[2, 0, 1\]"
    with pytest.raises(ValueError, match=message + r".*reset_index\(drop=True\)"):
        as_frame(shuffled)
    alike = {name: pd.Series(column, index=[2, 0, 1]) for name, column in X.to_dict("list").items()}
    assert as_frame(alike).to_dict("list") == X.to_dict("list")

"""Items in a file are pickled as the name of the file, and so reach worker processes."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.memory_map import chunks


@pytest.fixture
def mapped(tmp_path, made):
    """The items in float16, in a file."""
    np.save(tmp_path / "items.npy", made.item_features.astype(np.float16))
    return np.load(tmp_path / "items.npy", mmap_mode="r")


@pytest.mark.parametrize("part", [slice(None), slice(10, 40)])
def test_a_memory_map_is_pickled_by_name(part, table, mapped, monkeypatch, tmp_path_factory):
    items = np.concatenate([np.full((10, 6), 7.0), np.zeros((1000, 6))]).astype(np.float16)
    folder = tmp_path_factory.mktemp("large")
    np.save(folder / "large.npy", items)
    monkeypatch.chdir(folder)
    loaded = np.load("large.npy", mmap_mode="r")[part]
    X = ComparisonTable(loaded, [0, 1], [2, 3], users=["u", "v"])
    pickled = pickle.dumps(X)
    assert len(pickled) < 3000 < loaded.nbytes or part != slice(None)
    monkeypatch.chdir(folder.parent)  # a worker may be in another folder
    again = pickle.loads(pickled)
    assert isinstance(again.items, np.memmap)
    assert not again.items.flags.writeable
    np.testing.assert_array_equal(again.items, items[part])
    np.testing.assert_array_equal(np.asarray(again), np.asarray(X))
    assert again.users.tolist() == ["u", "v"]
    assert joblib.hash(X) == joblib.hash(again)


@pytest.mark.parametrize(
    "kind",
    [
        lambda mapped: np.asarray(mapped).copy(),
        lambda mapped: mapped[:, ::2],
        lambda mapped: mapped[::2],
        lambda mapped: np.memmap(mapped.filename, mapped.dtype, "c", mapped.offset, mapped.shape),
    ],
    ids=["memory", "columns", "every other", "copy on write"],
)
def test_other_items_are_pickled_as_they_are(kind, mapped):
    items = kind(mapped)
    if getattr(items, "mode", None) == "c":
        items[0] = 3.0  # in memory, and not in the file
    X = ComparisonTable(items, [0, 1], [1, 0])
    again = pickle.loads(pickle.dumps(X))
    np.testing.assert_array_equal(again.items, items)


def test_a_pickle_without_its_file(mapped, tmp_path):
    pickled = pickle.dumps(ComparisonTable(mapped, [0], [1]))
    (tmp_path / "items.npy").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"items\.npy.*is not there or is shorter"):
        pickle.loads(pickled)
    (tmp_path / "items.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"items\.npy.*Put the file back"):
        pickle.loads(pickled)


def where(X):
    return type(X.items).__name__, str(getattr(X.items, "filename", None)), float(X.items[1, 1])


@pytest.mark.slow
def test_worker_processes_map_the_same_file(mapped, made, quick):
    X = ComparisonTable(mapped, made.item_a, made.item_b, users=made.users, groups=made.groups)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(where)(X[rows]) for rows in ([0], [1]))
    assert found == [("memmap", str(mapped.filename), float(mapped[1, 1]))] * 2
    scores = [
        cross_val_score(
            quick(strategy="balanced"), X, made.y, cv=2, n_jobs=n_jobs, error_score="raise"
        ).tolist()
        for n_jobs in (1, 2)
    ]
    assert scores[0] == scores[1]


def test_chunks_are_all_rows_in_their_order(monkeypatch):
    monkeypatch.setattr("pafo_sk._comparisons.memory_map.CHUNK", 12)
    array = np.arange(50).reshape(10, 5)
    parts = [array[part] for part in chunks(array)]
    assert [len(part) for part in parts] == [2] * 5
    np.testing.assert_array_equal(np.concatenate(parts), array)
    rows = np.array([9, 3, 3])
    np.testing.assert_array_equal(np.concatenate([*chunks(array, rows)]), rows)


def test_a_file_that_has_changed_is_noticed(tmp_path):
    file = tmp_path / "items.npy"
    np.save(file, np.arange(400.0).reshape(100, 4))
    table = ComparisonTable(np.load(file, mmap_mode="r"), [0, 1], [2, 3])
    kept = pickle.dumps(table)
    assert (pickle.loads(kept).items == table.items).all()
    np.save(file, np.arange(400.0).reshape(100, 4)[::-1])
    with pytest.raises(ValueError, match="holds other items than when"):
        pickle.loads(kept)

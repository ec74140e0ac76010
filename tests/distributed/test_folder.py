"""What is refused before anything is encoded, and files that do not fit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pafo_sk.distributed import encode
from pafo_sk.distributed._folder import check_folder, claim_folder, part_name
from pafo_sk.distributed._partition import _digest_in, write_partition

ABOUT = {"name": "one", "fingerprint": "r1", "dimension": 4, "settings": ["float32", None]}


@pytest.fixture
def small():
    import dask.dataframe as dd

    frame = pd.DataFrame({"text": ["a", "b"], "embedding": [1, 2], "twice": [3, 4], 5: [6, 7]})
    frame.insert(0, "twice", [8, 9], allow_duplicates=True)
    return dd.from_pandas(frame, npartitions=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ddf": pd.DataFrame({"text": ["a"]})}, TypeError, "dask.dataframe.from_pandas(frame"),
        ({"columns": ["text"] * 3}, ValueError, "those of prompts and responses"),
        ({"columns": "txt"}, ValueError, "ddf lacks the column 'txt'"),
        ({"keep": ["embedding"]}, ValueError, "keep must not name 'embedding'"),
        ({"keep": ["key"]}, ValueError, "ddf lacks the column 'key'"),
        ({"keep": ["text", "text"]}, ValueError, "keep has 'text' more than once"),
        ({"columns": ["text", "text"]}, ValueError, "columns has 'text' more than once"),
        ({"keep": ["twice"]}, ValueError, "ddf has 2 columns named 'twice'"),
        ({"keep": [5]}, TypeError, "keep must hold strings, because Parquet names columns so"),
        ({"keep": [["text"]]}, TypeError, "keep must hold strings"),
        ({"encoder": np.ones(2)}, TypeError, "Save it with `encoder.save(folder)`"),
        ({"encode_params": {"size": 3}}, ValueError, "encode_params has no 'size'"),
        ({"encode_params": {"device": ["cpu", "cpu"]}}, ValueError, "a worker for each GPU"),
        ({"dtype": "int8"}, ValueError, "'dtype' parameter of encode"),
        ({"retries": -1}, ValueError, "'retries' parameter of encode"),
        ({"out": "s3://bucket/vectors"}, ValueError, "is an address, and must be a folder"),
        ({"out": __file__}, ValueError, "is a file. Pass a folder"),
        ({"out": Path(__file__).parent}, ValueError, "holds other files ("),
    ],
)
def test_errors_name_the_remedy(small, tmp_path, arguments, error, message):
    out = tmp_path / "out"
    settings = {"ddf": small, "columns": "text", "encoder": "all-MiniLM-L6-v2", "out": out}
    with pytest.raises(error) as caught:
        encode(**{**settings, **arguments})
    assert message in str(caught.value)
    assert not out.exists()


def test_a_claimed_folder_is_of_one_encoder(tmp_path):
    folder = tmp_path / "deep" / "out"
    claim_folder(folder, ABOUT)
    claim_folder(folder, {**ABOUT, "name": "the same model elsewhere"})
    with pytest.raises(
        ValueError, match=r"name 'one' there, 'two' now; fingerprint 'r1' there, 'r2'"
    ):
        claim_folder(folder, {**ABOUT, "name": "two", "fingerprint": "r2"})
    with pytest.raises(ValueError, match="dimension 4 there, 5 now") as caught:
        claim_folder(folder, {**ABOUT, "dimension": 5})
    assert f"shutil.rmtree({str(folder)!r})" in str(caught.value)
    (folder / "_pafo_sk.json").write_text("{")
    with pytest.raises(ValueError, match="format 'unknown' there, 1 now"):
        claim_folder(folder, ABOUT)


def test_a_folder_may_gain_partitions_and_not_lose_them(tmp_path):
    claim_folder(tmp_path, ABOUT)
    for number in range(3):
        (tmp_path / part_name(number)).write_bytes(b"")
    assert check_folder(tmp_path, 4) == check_folder(tmp_path, 3) == tmp_path
    with pytest.raises(ValueError, match="1 partitions more than the 2 of ddf") as caught:
        check_folder(tmp_path, 2)
    assert part_name(2) in str(caught.value)


def test_damaged_files_have_no_digest(tmp_path):
    file = tmp_path / part_name(0)
    assert _digest_in(file) is None
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_partition(file, {"item": pa.array([1, 2, 3])}, vectors, "digest of the rows")
    assert _digest_in(file) == "digest of the rows"
    whole = file.read_bytes()
    for cut in (0, 4, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert _digest_in(file) is None
    length = int.from_bytes(whole[-8:-4], "little")
    file.write_bytes(whole[: -8 - length] + bytes(length) + whole[-8:])  # of the footer
    assert _digest_in(file) is None


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(tmp_path):
    file = tmp_path / part_name(0)
    file.symlink_to(file)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        _digest_in(file)


def test_without_dask_the_extra_is_named(small, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "pafo_sk\[distributed\]"'):
        encode(small, "text", "all-MiniLM-L6-v2", out=tmp_path)


def test_dask_is_imported_on_call_only(tmp_path):
    code = """
import sys, warnings
with warnings.catch_warnings(action="error"):
    import pafo_sk, pafo_sk.distributed
assert not {"dask", "distributed", "pyarrow.parquet"} & set(sys.modules)
import dask.dataframe as dd, pandas as pd
ddf = dd.from_pandas(pd.DataFrame({"text": ["a"]}), npartitions=1)
try:
    pafo_sk.distributed.encode(ddf, "text", "all-MiniLM-L6-v2", out="out")
except ValueError as error:  # in a process that has no client
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "client = distributed.Client()" in done.stdout
    assert not list(tmp_path.iterdir())

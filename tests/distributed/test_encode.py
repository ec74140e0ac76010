"""Encoding on two worker processes: once each, with one of them killed, and going on later."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.truncation import join_prompt
from pafo_sk.distributed import encode as encode_partitions

pytestmark = pytest.mark.slow


def part(number):
    return f"part-{number:06d}.parquet"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "vectors"


@pytest.fixture
def encode(tiny_encoder_path, out):
    """`encode` to the folder ``out`` with the tiny encoder."""
    return partial(encode_partitions, encoder=tiny_encoder_path, out=out)


def vectors_in(folder):
    table = pq.read_table(folder, page_checksum_verification=True)
    vectors = table["embedding"].combine_chunks().flatten().to_numpy()
    return table, vectors.reshape(len(table), -1)


def assert_all_there(out, items, encoder):
    table, vectors = vectors_in(out)
    assert table["item"].to_pylist() == items["item"].to_list()
    expected = encode_texts(items["text"], encoder, cache=None)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    left = {file.name for file in out.iterdir()}
    assert left == {"_pafo_sk.json", *map(part, range(6))}


def test_two_processes_encode_each_text_once(workers, encode, out, ddf, items, tiny_encoder):
    report = encode(ddf, "text", keep=["item"])
    assert report["file"].to_list() == [part(number) for number in range(6)]
    assert report["n_rows"].to_list() == [8] * 6
    assert set(report["status"]) == {"encoded"}
    assert_all_there(out, items, tiny_encoder)
    assert workers.encoded() == sorted(items["text"].unique())
    assert set(workers.noted("_vectors_of")) == workers.pids()
    # a process that has loaded the encoder has done so once
    assert all(len(loaded) == 1 for loaded in workers.noted("_open").values())


def test_killed_worker_loses_nothing(workers, encode, out, ddf, items, tiny_encoder):
    before = workers.pids()
    # the worst moment: all was encoded and written, and not yet renamed
    workers.kill_one_at("write_table", part(3))
    encode(ddf, "text", keep=["item"])
    assert len(before - workers.pids()) == 1
    assert_all_there(out, items, tiny_encoder)
    # what was finished when it died is not encoded again, only what it was working on
    encoded = pd.Series(workers.encoded()).value_counts()
    assert set(encoded.index[encoded == 2]) == set(items["text"][24:32])
    assert encoded.max() == 2


def test_resuming_encodes_what_is_missing(workers, encode, out, ddf, items, tiny_encoder):
    encode(ddf, "text", keep=["item"])
    (out / part(1)).unlink()
    whole = (out / part(4)).read_bytes()
    (out / part(4)).write_bytes(whole[:-100])
    unchanged = (out / part(0)).stat().st_mtime_ns
    workers.forget()
    report = encode(ddf, "text", keep=["item"])
    assert report["status"].to_list() == ["kept", "encoded", "kept", "kept", "mended", "kept"]
    missing = pd.concat([items["text"][8:16], items["text"][32:40]]).unique()
    assert workers.encoded() == sorted(missing)
    assert (out / part(0)).stat().st_mtime_ns == unchanged
    assert_all_there(out, items, tiny_encoder)


def test_a_bad_partition_does_not_stop_the_others(workers, encode, out, items, tiny_encoder):
    import dask.dataframe as dd

    holed = items.assign(text=items["text"].mask(items["item"] == 20))
    with pytest.raises(ValueError, match="Partition 2 of ddf has no text") as caught:
        encode(dd.from_pandas(holed, npartitions=6), "text", keep=["item"], retries=0)
    assert "1 of 6 partitions failed, the first of them [2]" in caught.value.__notes__[-1]
    report = encode(dd.from_pandas(items, npartitions=6), "text", keep=["item"])
    assert report["status"].to_list() == ["kept", "kept", "encoded", "kept", "kept", "kept"]
    assert_all_there(out, items, tiny_encoder)


def test_errors_are_tried_again(workers, encode, ddf, tmp_path):
    def fail_once(dask_worker, mark):
        from pafo_sk._encoding import encode as _encoding

        working = _encoding._check_vectors

        def failing(*args):
            if mark.exists():
                mark.unlink()
                raise OSError("the network is gone")
            working(*args)

        _encoding._check_vectors = failing

    (tmp_path / "fail").write_text("")
    workers.client.run(fail_once, mark=tmp_path / "fail")
    report = encode(ddf, "text", retries=1)
    assert not (tmp_path / "fail").exists()
    assert set(report["status"]) == {"encoded"}


def test_prompts_are_encoded_with_responses(workers, encode, out, items, tiny_encoder):
    import dask.dataframe as dd

    frame = items.assign(prompt=np.where(items["item"] % 2, "bus", ""))
    ddf = dd.from_pandas(frame, npartitions=3)
    ddf = ddf[ddf["item"] >= 16]  # and the first partition is empty
    report = encode(ddf, ["prompt", "text"], dtype="float16", keep=["item"])
    assert report["n_rows"].to_list() == [0, 16, 16]
    table, vectors = vectors_in(out)
    assert vectors.dtype == np.float16
    assert str(table.schema.field("embedding").type) == "fixed_size_list<element: halffloat>[16]"
    joined = [join_prompt(*row) for row in zip(frame["prompt"], frame["text"], strict=True)]
    expected = encode_texts(joined[16:], tiny_encoder, cache=None)
    np.testing.assert_allclose(vectors, expected, rtol=6e-4, atol=1e-6)


def test_folder_of_another_encoder_or_rows(workers, encode, out, ddf, items, tiny_encoder_path):
    import dask.dataframe as dd

    encode(ddf, "text")
    written = {file.name: file.read_bytes() for file in out.iterdir()}
    workers.forget()
    with pytest.raises(ValueError, match="was encoded differently: settings"):
        encode(ddf, "text", encode_params={"max_length": 6})
    with pytest.raises(ValueError, match="was encoded differently: layers"):
        encode(ddf, "text", encode_params={"layers": (1, -1)})
    with pytest.raises(ValueError, match="was encoded differently: dtype 'float32' there"):
        encode(ddf, "text", dtype="float16")
    other = dd.from_pandas(items.assign(text=items["text"][::-1].to_numpy()), npartitions=6)
    with pytest.raises(ValueError, match="was made from other rows than partition 0") as caught:
        encode(other, "text", retries=0)
    assert "6 of 6 partitions failed" in caught.value.__notes__[-1]
    assert workers.encoded() == []
    assert {file.name: file.read_bytes() for file in out.iterdir()} == written


@pytest.fixture
def objects():
    """Dask leaves columns of objects as they are, in place of strings."""
    import dask

    with dask.config.set({"dataframe.convert-string": False}):
        yield


@pytest.mark.usefixtures("objects")
def test_columns_of_lists_are_kept(workers, encode, out, items):
    """They have no hash, by which it is told whether a file was made from the same rows."""
    import dask.dataframe as dd

    lists = items.assign(
        text=[[{"role": "user", "content": text}] for text in items["text"]],
        tags=[["a", str(number)] for number in items["item"]],
        numbers=list(np.arange(96).reshape(48, 2)),
    )
    settings = {"columns": "text", "keep": ["tags", "numbers"], "retries": 0}
    encode(dd.from_pandas(lists, npartitions=6), **settings)
    table = pq.read_table(out)
    assert table["tags"].to_pylist() == lists["tags"].to_list()
    assert table["numbers"].to_pylist() == np.arange(96).reshape(48, 2).tolist()
    report = encode(dd.from_pandas(lists, npartitions=6), **settings)
    assert set(report["status"]) == {"kept"}
    others = lists.assign(tags=lists["tags"].map(lambda tags: tags[::-1]))
    with pytest.raises(ValueError, match="was made from other rows than partition 0"):
        encode(dd.from_pandas(others, npartitions=6), **settings)


@pytest.mark.usefixtures("objects")
def test_columns_that_parquet_cannot_hold(workers, encode, items):
    import dask.dataframe as dd

    mixed = dd.from_pandas(items.assign(key=[1, "a", 2.5, None] * 12), npartitions=1)
    with pytest.raises(ValueError, match="Column 'key' of partition 0 of ddf, which keep names"):
        encode(mixed, "text", keep=["key"], retries=0)
    assert workers.encoded() == []

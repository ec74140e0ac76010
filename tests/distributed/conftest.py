from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest


def _notes_plugin(folder):
    """A plugin by which workers, also restarted ones, note what they do, and die when told to.

    Made in a function, so that it travels by value: workers cannot import the tests.
    """
    from distributed import WorkerPlugin

    class Notes(WorkerPlugin):
        name = "notes"

        def setup(self, worker):
            import pyarrow.parquet as pq

            from pafo_sk._encoding import encode as _encoding
            from pafo_sk._encoding import loading as _encoder_loading
            from pafo_sk._student.training import CandidateTrainer

            self.wrap(_encoding, "_vectors_of", before=lambda model, texts, *_: list(texts))
            self.wrap(_encoder_loading, "_open", before=lambda *_, **__: "an encoder")
            self.wrap(CandidateTrainer, "train_student", before=lambda *_, **__: "a student")
            self.wrap(pq, "write_table", after=lambda _, file, **__: file.name)

        def wrap(self, module, name, before=None, after=None):
            function = getattr(module, name)
            if hasattr(function, "noted"):
                return

            def noting(*args, **kwargs):
                if before is not None:
                    self.note(name, before(*args, **kwargs))
                result = function(*args, **kwargs)
                if after is not None:
                    self.note(name, after(*args, **kwargs))
                return result

            noting.noted = True
            setattr(module, name, noting)

        def note(self, what, value):
            import os
            import signal

            with open(folder / f"{os.getpid()}.notes", "a") as file:
                file.write(json.dumps([what, value]) + "\n")
            for order in folder.glob("*.kill"):
                if what == order.stem and order.read_text() in str(value):
                    order.unlink()  # once
                    os.kill(os.getpid(), signal.SIGKILL)

    return Notes()


class Workers:
    """Two worker processes, and what they noted since the last `forget`."""

    def __init__(self, client, folder):
        self.client, self.folder = client, folder

    def forget(self):
        for file in self.folder.iterdir():
            file.unlink()

    def kill_one_at(self, what, text):
        """The first worker that notes this, with the text in it, kills itself (SIGKILL)."""
        (self.folder / f"{what}.kill").write_text(text)

    def noted(self, what):
        """Values of every process that noted any."""
        found = {}
        for file in self.folder.glob("*.notes"):
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            if values := [value for kind, value in lines if kind == what]:
                found[int(file.stem)] = values
        return found

    def encoded(self):
        """Texts encoded, in all processes; without "a", from which the dimension is learned."""
        batches = [batch for batches in self.noted("_vectors_of").values() for batch in batches]
        return sorted(text for batch in batches for text in batch if text != "a")

    def pids(self):
        self.client.wait_for_workers(2, timeout=60)
        return {worker["pid"] for worker in self.client.run(_process).values()}


def _process(dask_worker):
    import os

    return {"pid": os.getpid(), "address": dask_worker.address}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Client of two workers, each a process of its own, that note in a folder."""
    from distributed import Client, LocalCluster

    folder = tmp_path_factory.mktemp("notes")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(_notes_plugin(folder))
        yield Workers(client, folder)


@pytest.fixture
def workers(cluster):
    """The cluster, whole and with nothing noted."""
    assert len(cluster.pids()) == 2
    cluster.forget()
    return cluster


@pytest.fixture(scope="session")
def items():
    """48 items of six partitions; within a partition, two texts occur twice."""
    texts = [f"tax {number // 8} {chr(97 + number % 6)}" for number in range(48)]
    return pd.DataFrame({"item": np.arange(48), "text": texts})


@pytest.fixture(scope="session")
def ddf(items, tmp_path_factory):
    """The items as Parquet of six files, read by Dask."""
    import dask.dataframe as dd

    folder = str(tmp_path_factory.mktemp("items") / "parquet")
    dd.from_pandas(items.assign(unused="-" * 1000), npartitions=6).to_parquet(folder)
    return dd.read_parquet(folder)

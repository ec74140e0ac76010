"""The journal: what was acknowledged is on the disk, once, and for one service."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from pafo_sk.serve._journal import Journal

ROWS = np.arange(12.0).reshape(4, 3)


def entries(journal):
    return [(user, row.tolist()) for user, _, row in journal.enrolments()]


def test_enrolments_come_back(database):
    journal = Journal(database, "model")
    new = journal.add(["ann", 1, "1", "ann"], [None, "k", "k", None], ROWS)
    assert new.tolist() == [True] * 4
    journal.close()
    again = Journal(database, "model")
    assert entries(again) == list(zip(["ann", 1, "1", "ann"], ROWS.tolist(), strict=True))
    assert [key for _, key, _ in again.enrolments()] == [None, "k", "k", None]
    # numbers and strings differ as keys as well
    assert again.add([1, 1, 1], ["k", 1, 1], ROWS[:3]).tolist() == [False, True, False]
    again.close()


def test_forgetting(database):
    journal = Journal(database, "model")
    journal.add(["secret person", "bob"], [None, None], ROWS[:2])
    journal.forget(["secret person", "stranger"])
    assert entries(journal) == [("bob", ROWS[1].tolist())]
    assert journal.forgotten() == ["secret person", "stranger"]
    journal.add(["secret person"], [None], ROWS[:1])
    assert len(entries(journal)) == 2
    journal.close()


def test_the_forgotten_are_gone_from_the_file(database):
    journal = Journal(database, "model")
    journal.add(["bob"] * 4, [None] * 4, ROWS * 1234.5)
    journal.forget(["bob"])
    journal.erase()
    content = b"".join(file.read_bytes() for file in database.parent.iterdir())
    assert (ROWS[1] * 1234.5).tobytes() not in content
    journal.close()


def test_one_service_at_a_time(database):
    journal = Journal(database, "model")
    with pytest.raises(RuntimeError, match="another service has it"):
        Journal(database, "model")
    journal.close()
    Journal(database, "model").close()


def test_a_database_that_cannot_be_written(database):
    """It is refused at the start, because nothing could be enrolled and others would share it."""
    Journal(database, "model").close()
    database.chmod(0o444)
    code = "import sys; from pafo_sk.serve._journal import Journal; Journal(sys.argv[1], 'model')"
    command = [sys.executable, "-c", code, str(database)]
    if os.geteuid() == 0:  # who may write whatever the mode is
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed, and root writes everything")
        capabilities = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={capabilities}", *command]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{str(database)!r} cannot be used (attempt to write a readonly" in found.stderr


def test_another_model(database):
    Journal(database, "model").close()
    with pytest.raises(RuntimeError, match="belongs to another model"):
        Journal(database, "other")
    Journal(database, "model").close()


def test_another_program(database):
    """Its database is left as it is."""
    with contextlib.closing(sqlite3.connect(database)) as foreign:
        foreign.execute("create table customers (name text)")
    before = database.read_bytes()
    with pytest.raises(RuntimeError, match=r"another program: .*customers"):
        Journal(database, "model")
    assert database.read_bytes() == before
    database.write_bytes(b"no database " * 100)
    with pytest.raises(RuntimeError, match="cannot be used"):
        Journal(database, "model")


def test_all_or_none(database):
    """A row that cannot be written takes the others back."""
    journal = Journal(database, "model")
    with pytest.raises(TypeError):
        journal.add(["ann", object()], [None, None], ROWS[:2])
    assert entries(journal) == []
    assert journal.add(["ann"], [None], ROWS[:1]).tolist() == [True]
    journal.close()


def test_a_full_disk(database):
    journal = Journal(database, "model")
    journal._database.execute("pragma max_page_count = 12")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        journal.add(["ann"] * 5000, [None] * 5000, np.zeros((5000, 3)))
    assert entries(journal) == []
    assert journal.add(["ann"], [None], ROWS[:1]).tolist() == [True]
    journal.close()


def test_no_folder(tmp_path):
    with pytest.raises(RuntimeError, match=r"absent/file' cannot.*unable to open.*--database"):
        Journal(tmp_path / "absent" / "file", "model")

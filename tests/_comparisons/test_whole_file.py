"""Files that are there as a whole or not at all."""

import pytest

from pafo_sk._comparisons.whole_file import whole_file


def test_a_file_appears_at_the_end(tmp_path):
    file = tmp_path / "a.txt"
    with whole_file(file) as part:
        part.write_text("new")
        assert part.name.startswith(".a.txt.")
        assert not file.exists()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("a.txt", "new")]


def test_an_error_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def fail():
        with whole_file(file) as part:
            part.write_text("new")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("a.txt", "old")]

"""Files that are there as a whole or not at all."""

import os
import stat

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


def test_what_killed_processes_left_is_removed(tmp_path):
    """After an hour; it may hold users. Files of others stay, and so does what is being written."""
    file, digits = tmp_path / "a[1].txt", "0123456789abcdef" * 2
    left = tmp_path / f".a[1].txt.{digits}"
    others = [f".a1.txt.{digits}", f".a[1].txt.{digits}0", ".a[1].txt.backup", f"a[1].txt.{digits}"]
    young = f".a[1].txt.{digits[::-1]}"
    for name in (left.name, *others, young):
        (tmp_path / name).touch()
    for name in (left.name, *others):
        os.utime(tmp_path / name, (0, 0))
    with pytest.raises(KeyError), whole_file(file):
        raise KeyError
    assert left.exists()
    with whole_file(file) as part:
        os.utime(part, (0, 0))
    assert sorted(os.listdir(tmp_path)) == sorted([file.name, *others, young])


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays(tmp_path, dangling):
    """What it names is replaced, also where the link is in another folder."""
    (tmp_path / "store").mkdir()
    file, link = tmp_path / "store" / "v1.txt", tmp_path / "current.txt"
    if not dangling:
        file.write_text("old")
    link.symlink_to("store/v1.txt")
    with whole_file(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert os.listdir(file.parent) == ["v1.txt"]


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o664])
def test_the_mode_stays(tmp_path, mode):
    file = tmp_path / "a.txt"
    file.write_text("old")
    file.chmod(mode)
    with whole_file(file) as part:
        part.write_text("new")
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_new_file_has_the_mode_of_the_process(tmp_path):
    (tmp_path / "b.txt").touch()
    with whole_file(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    file = tmp_path / "absent" / "a.txt"
    with pytest.raises(FileNotFoundError, match=r"folder '.*absent' does not") as caught:
        whole_file(file).__enter__()
    assert "a.txt" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_stays(tmp_path, make):
    make(tmp_path / "a.txt")
    with pytest.raises(OSError, match=r"a.txt' is no regular file"), whole_file(tmp_path / "a.txt"):
        pass
    assert not (tmp_path / "a.txt").is_file()
    assert os.listdir(tmp_path) == ["a.txt"]

"""One object holds the users of all histories that grew from one another."""

import threading

import pytest

from pafo_sk._deployment.hashed_users import HashedUsers
from pafo_sk._student.known_users import KnownUsers


@pytest.mark.parametrize(
    "of", [KnownUsers, lambda users: HashedUsers(b"salt").appended(0, [*users])]
)
def test_the_last_state_grows_in_place_and_others_are_copied(of):
    users = of(["a", "b"])
    assert users.appended(2, ["c"]) is users
    other = users.appended(2, ["d"])
    assert other is not users
    assert (users.first(3), other.first(3)) == (users.named("abc"), users.named("abd"))
    assert other.find("abd", 3).tolist() == [0, 1, 2]
    assert users.find(["c", "d", "a"], 3).tolist() == [2, -1, 0]
    # an earlier state knows only its own
    assert users.find(["c", "a"], 2).tolist() == [-1, 0]


def test_only_one_thread_appends_to_a_state():
    users, ready, grown = KnownUsers("ab"), threading.Barrier(8), []

    def append(name):
        ready.wait()
        grown.append(users.appended(2, [name]))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.first(9)[2] for one in grown) == list(range(8))
    assert sum(one is users for one in grown) == 1


@pytest.mark.parametrize(("user", "same"), [(1, True), ((1, "a"), (True, "a"))])
def test_truth_values_are_no_numbers(user, same):
    users = KnownUsers([user])
    with pytest.raises(ValueError, match="cannot be told from"):
        users.check_kinds([same], users.find([same], 1))
    hashed = HashedUsers(b"salt").appended(0, [user])
    assert hashed.find([user, same], 1).tolist() == [0, -1]


def test_a_user_cannot_be_held_twice():
    with pytest.raises(ValueError, match="twice"):
        KnownUsers([1, 1.0])

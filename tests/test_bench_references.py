"""The benchmark's references learn two tastes, leave generators alone, and survive any data."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from benchmark_modules import benchmark_modules

FIELD = ("lore", "pal", "vpl", "mrm", "embedded_users")
HISTORIES = (*FIELD, "bilinear", "per_user", "mixture", "factorisation")
N_FEATURES = 6


@pytest.fixture(scope="module")
def bench():
    names = ("_table", "_linear", "_methods", "_field")
    with benchmark_modules(*names) as modules:
        yield SimpleNamespace(**{n[1:]: m for n, m in zip(names, modules, strict=True)})


def rows_of(bench, user, taste, seed, prompts=None, items=None):
    """A comparison of two items for each entry of ``user``; tastes disagree on feature 0."""
    rng = np.random.RandomState(seed)
    if items is None:
        items = np.random.RandomState(0).standard_normal((200, N_FEATURES))
    a, b = rng.randint(len(items), size=(2, len(user)))
    weight = np.zeros((2, N_FEATURES))
    weight[:, 0], weight[:, 1] = [3, -3], 1.5
    margin = ((items[b] - items[a]) * weight[taste[user]]).sum(axis=1)
    label = (margin > rng.logistic(size=len(user)) / 2).astype(float)
    scaled = items / np.sqrt(2 * max(items.var(axis=0).sum(), 1e-9))
    return bench.table.Rows(scaled, a, b, label, user, taste[user], prompts)


def table_of(bench, train, test=None):
    splits = bench.table.splits_of(train, 0)
    parts = dict.fromkeys(("history", "unseen", "clean", "choices"))
    return bench.table.Table(train, train if test is None else test, **parts, splits=splits)


@pytest.fixture(scope="module")
def world(bench):
    """40 users of one taste and 20 of the other, 20 comparisons each, and others to test on."""
    taste = np.repeat([0, 1], [40, 20])
    user = np.repeat(np.arange(60), 20)
    train = rows_of(bench, user, taste, 0, prompts=np.arange(len(user)))
    test = rows_of(bench, user, taste, 1, prompts=len(user) + np.arange(len(user)))
    return table_of(bench, train, test)


@pytest.fixture(scope="module")
def base(bench, world):
    return bench.linear.pooled(world)


SETTINGS = {
    "lore": {"n_basis": 4, "penalty": 0.1, "pull": 0.3},
    "pal": {"n_prototypes": 4, "penalty": 0.3, "pull": 0.3},
    "vpl": {"n_latent": 4, "penalty": 0.1, "kl": 0.01},
    "mrm": {"n_base": 4, "penalty": 0.1, "inner_rate": 10.0, "tail": 0.5},
    "embedded_users": {"n_embedding": 2, "penalty": 0.3, "share": 0.2},
}


def fit(bench, name, table, base, seed=0):
    search = getattr(bench.field, name.upper())
    return search.train(table.train, base.weight, seed=seed, **SETTINGS[name])


def accuracy(margin, rows):
    return (margin > 0) == (rows.label > 0.5)


@pytest.mark.parametrize("name", FIELD)
def test_learns_two_tastes(bench, world, base, name):
    known = bench.table.known_by_user(world.test, world.train)
    right = accuracy(fit(bench, name, world, base).margins(world.test, known), world.test)
    pooled = accuracy(world.test.margins(base.weight), world.test)
    minority = world.test.group == 1
    assert right[minority].mean() > pooled[minority].mean() + 0.25
    assert right[~minority].mean() > pooled[~minority].mean() - 0.03


@pytest.mark.parametrize("name", FIELD)
def test_one_seed_gives_one_model_and_global_generators_are_left_alone(bench, world, base, name):
    known = bench.table.known_by_user(world.test, world.train)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one = fit(bench, name, world, base).margins(world.test, known)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    other = fit(bench, name, world, base).margins(world.test, known)
    # several threads may add up in another order
    np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", FIELD)
def test_users_without_history_are_all_served_alike(bench, world, base, name):
    model, none = fit(bench, name, world, base), world.train[:0]
    rows = world.test[:50]
    margin = model.margins(rows, bench.table.known_by_user(rows, none))
    assert np.isfinite(margin).all()
    assert margin.any()
    others = bench.table.Rows(**{**vars_of(rows), "user": rows.user[::-1].copy()})
    alike = model.margins(others, bench.table.known_by_user(others, none))
    np.testing.assert_allclose(alike, margin, atol=1e-6)


@pytest.mark.parametrize("name", FIELD)
def test_a_user_s_vector_depends_on_no_other_user(bench, world, base, name):
    model = fit(bench, name, world, base)
    mine = world.test.user == 41
    alone = world.test[mine]
    together = model.margins(world.test, bench.table.known_by_user(world.test, world.train))[mine]
    margin = model.margins(alone, bench.table.known_by_user(alone, world.train))
    np.testing.assert_allclose(margin, together, atol=1e-4)


def vars_of(rows):
    return {name: getattr(rows, name) for name in rows.__dataclass_fields__}


def degenerate(bench, kind):
    """Comparisons that some step of some reference could not work with."""
    taste = np.array([0] * 8 + [1] * 4)
    user, items = np.repeat(np.arange(12), 6), None
    if kind == "users with one comparison":
        user = np.concatenate([np.arange(12), np.repeat([0, 9], 15)])
    if kind == "two users":
        taste, user = np.array([0, 1]), np.repeat([0, 1], 30)
    if kind == "items are the same":
        items = np.ones((20, N_FEATURES))
    if kind == "one direction":
        items = np.outer(np.arange(20) - 9.5, np.ones(N_FEATURES))
    if kind == "more features than rows":
        items = np.eye(20, 400)
    if items is not None and items.shape[1] != N_FEATURES:
        rng = np.random.RandomState(0)
        a, b = rng.randint(20, size=(2, len(user)))
        label = rng.randint(2, size=len(user)).astype(float)
        return bench.table.Rows(items, a, b, label, user, taste[user], None)
    rows = rows_of(bench, user, taste, 0, items=items)
    if kind == "one answer":
        return bench.table.Rows(**{**vars_of(rows), "label": np.ones(len(rows))})
    return rows


@pytest.mark.parametrize("method", HISTORIES)
@pytest.mark.parametrize(
    "kind",
    [
        "users with one comparison",
        "two users",
        "items are the same",
        "one direction",
        "more features than rows",
        "one answer",
    ],
)
def test_references_survive(bench, monkeypatch, method, kind):
    table = table_of(bench, degenerate(bench, kind))
    monkeypatch.setattr(bench.methods, "read", lambda case, seed: table)
    for module in ("_lore", "_pal", "_vpl", "_mrm", "_embedded_users"):
        monkeypatch.setattr(sys.modules[module], "STEPS", 3)
    task = bench.methods.Task(None, 0)
    fitted = bench.methods.METHODS[method].fit(task)
    assert np.isfinite(fitted.known()).all()


def test_prompts_that_do_not_tell_situations_apart_are_not_used(bench):
    user = np.repeat(np.arange(10), 8)
    tell = bench.table.tell_apart
    assert tell(np.arange(80), user)
    assert not tell(np.zeros(80, dtype=int), user)
    assert not tell(np.arange(80) % 2, user)
    assert not tell(user, user)


@pytest.mark.parametrize("n_users", [2, 12])
def test_every_fold_has_rows_and_users_without_prompts_are_held_out_whole(bench, n_users):
    user = np.repeat(np.arange(n_users), 10)
    rows = rows_of(bench, user, np.zeros(n_users, dtype=int), 0)
    splits = bench.table.splits_of(rows, 0)
    for split in splits:
        assert len(split.fit)
        assert len(split.check)
        both = np.intersect1d(split.fit.user, split.check.user)
        assert len(both) == (0 if n_users > 2 else 2)
        for row, known in zip(range(len(split.check)), split.known.index, strict=True):
            other = split.known.rows[known[known >= 0]]
            assert (other.user == split.check.user[row]).all()
            ends = {split.check.a[row], split.check.b[row]}
            assert not ends & {*other.a, *other.b}
    assert sum(len(split.check) for split in splits) == len(rows)


def test_main_directions_are_the_singular_vectors(bench):
    matrix = np.random.RandomState(0).standard_normal((9, 5)) * [5, 4, 3, 2, 1]
    expected = np.linalg.svd(matrix)[2][:3].T
    for rows in (matrix, np.concatenate([matrix, 0 * matrix])):
        found = bench.linear.main_directions(rows, 3)
        np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1, atol=1e-9)
    wide = bench.linear.main_directions(matrix.T, 9)
    assert wide.shape == (9, 5)
    np.testing.assert_allclose(wide.T @ wide, np.eye(5), atol=1e-9)
    assert bench.linear.main_directions(np.zeros((4, 5)), 2).shape == (5, 0)

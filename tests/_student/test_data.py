"""Histories and minibatches of the data that train the unified model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from students import BilinearHistory, make, student_set

from pafo_sk import HistoryMixture

USER = np.array([0, 0, 0, 1, 1, 2, 0, 1, 1])


@pytest.mark.parametrize("student", [HistoryMixture, BilinearHistory])
@torch.no_grad()
def test_own_answer_is_left_out(student):
    """Nothing of a row's answer is in the margin by which the row is trained."""
    module, answer = make(student), np.ones(len(USER))
    before = student_set(USER, answer=answer).predict(module)
    for row in range(len(USER)):
        flipped = answer.copy()
        flipped[row] = -1
        after = student_set(USER, answer=flipped).predict(module)
        changed = (before != after)[:, 0].numpy()
        np.testing.assert_allclose(after[row], before[row], rtol=1e-12)
        others = (USER[row] == USER) & (np.arange(len(USER)) != row)
        assert changed[others].all()
        assert not changed[USER[row] != USER].any()


@pytest.mark.parametrize("student", [HistoryMixture, BilinearHistory])
@torch.no_grad()
def test_thinned_histories_are_those_of_the_rows_kept(student):
    kept = torch.ones(len(USER), 3, dtype=torch.float64)
    kept[1:, 1] = 0
    kept[:, 2] = 0
    module = make(student)
    margins = student_set(USER, kept=kept).predict(module)
    data = student_set(USER)
    np.testing.assert_allclose(margins[:, :1], data.predict(module))
    # nothing kept: the pooled model
    reward = module.reference(data.items)[:, 0]
    pooled = reward[data.b] - reward[data.a]
    np.testing.assert_allclose(margins[:, 2], pooled)
    # only row 0, of user 0, kept
    reads = (USER == 0) & (np.arange(len(USER)) > 0)
    assert ((margins[:, 1] - pooled).abs() > 1e-9).tolist() == reads.tolist()
    only = student_set(USER, answer=np.where(np.arange(len(USER)) == 0, -1.0, data.answer))
    assert not np.allclose(only.predict(module)[reads, 0], margins[reads, 0])


def test_minibatches_hold_users_whole():
    user = np.random.RandomState(0).randint(20, size=200)
    data = student_set(user)
    torch.manual_seed(0)
    batches = list(data.batches(32))
    assert len(batches) > 4
    assert sum(len(batch) for batch in batches) == 200
    # items a are the first of the table, one for each row
    rows = [batch.used[batch.a] for batch in batches]
    seen = [set(user[of].tolist()) for of in rows]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 20
    assert max(len(batch) for batch in batches) < 32 + np.bincount(user).max()
    # so histories in a batch are those of all the data
    module = make(HistoryMixture)
    whole = data.predict(module)
    for batch, of in zip(batches, rows, strict=True):
        assert np.isin(user, user[of]).sum() == len(batch)
        torch.testing.assert_close(batch.predict(module), whole[of])


def test_minibatches_without_users():
    torch.manual_seed(0)
    sizes = [len(batch) for batch in student_set(np.full(100, -1)).batches(32)]
    assert sorted(sizes) == [4, 32, 32, 32]


def test_batches_of_a_set_in_pieces_are_whole():
    """A batch of a set that is worked on in pieces stands for its own rows alone."""
    whole = student_set(np.repeat(np.arange(10), 6))
    whole = replace(whole, pieces=tuple(whole.batches(20)))
    assert len(whole.pieces) > 1
    for batch in whole.batches(15):
        assert batch.pieces == ()


def test_pieces_have_codes_without_gaps():
    """Sums are made in tables of a piece's own rows, and are what they were."""
    user = np.repeat(np.arange(10), 6)
    whole, module = student_set(user), make(HistoryMixture)
    expected = whole.predict(module)
    for piece in whole.batches(20):
        rows = piece.used[piece.a]  # items a are the first of their table, one for each row
        torch.testing.assert_close(piece.predict(module), expected[rows])
        assert piece.user.max() < 20 / 6 + 1
        assert max(int(key.max()) for key in piece.keys) < 2 * len(piece)

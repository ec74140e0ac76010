"""The progress bar of a fit: its total is steady, and nothing is shown without ``verbose``."""

import io
import itertools
import re

import pytest

from pafo_sk._progress import advance, counted, expect, open_bar, progress
from pafo_sk._training.cross_fitting import Trainer


def shown(err):
    """States of the bar that was drawn: steps done and in all."""
    return [(int(n), int(total)) for n, total in re.findall(r"Fit:[^\r\n]*?(\d+)/(\d+) \[", err)]


@pytest.mark.parametrize("params", [{}, {"strategy": "pooled"}, {"strategy": "group_dro"}])
def test_quiet_by_default(params, data, quick, capfd):
    quick(**params).fit(data.X, data.y, groups=data.groups)
    assert capfd.readouterr() == ("", "")


def test_texts_are_encoded_quietly(texts, quick, tiny_encoder, capfd):
    quick(encoder=tiny_encoder, cache=None).fit(texts.X, texts.y, groups=texts.groups)
    assert capfd.readouterr() == ("", "")
    quick(encoder=tiny_encoder, cache=None, verbose=1).fit(texts.X, texts.y, groups=texts.groups)
    err = capfd.readouterr().err
    encoding, _, training = err.partition("Fit:")
    assert "100%" in encoding
    assert "100%" in training


@pytest.mark.parametrize(
    ("params", "most"),
    [
        # the pooled model, two specialists, on three folds four structures and the distillation
        # weight, the model itself on labels, then on margins
        ({}, 1 + 2 + 4 * 3 + 3 + 2),
        # two distillation weights besides zero
        ({"distill_weight": "auto"}, 1 + 2 + 4 * 3 + 2 * 3 + 2),
        # two numbers of prototypes, alone and one of them beside directions
        ({"distill_weight": 0, "n_prototypes": "auto"}, 1 + 2 + (4 + 2) * 3 + 1),
        ({"student": "plain"}, 1 + 2 + 3 + 1),
        ({"strategy": "pooled"}, 1),
        ({"strategy": "balanced"}, 2),
        ({"strategy": "group_dro"}, 1 + 2 * 15),
    ],
)
def test_total_is_steady_and_the_bar_never_runs_back(params, most, data, quick, capfd, monkeypatch):
    # every state is shown, not ten in a second
    monkeypatch.setattr("pafo_sk._progress.LOG_SECONDS", 0.0)
    quick(verbose=1, **params).fit(data.X, data.y, groups=data.groups)
    out, err = capfd.readouterr()
    assert out == ""
    done, totals = zip(*shown(err), strict=True)
    assert set(totals) == {most}
    assert list(done) == sorted(done)
    assert done[-1] == most
    assert "100%" in err.splitlines()[-1]


def test_bar_counts_the_models_that_are_trained(data, quick, capfd, monkeypatch):
    """The announced total is not too large where the race drops nobody."""
    monkeypatch.setattr("pafo_sk._student.search.behind", lambda *args: False)
    monkeypatch.setattr("pafo_sk._progress._Work.finish", lambda work: None)
    quick(verbose=1).fit(data.X, data.y, groups=data.groups)
    assert shown(capfd.readouterr().err)[-1] == (20, 20)


def test_steps_beyond_the_total_do_not_stretch_it(capfd):
    with progress(1):
        expect(2)
        expect(5)
        advance(3)
    assert shown(capfd.readouterr().err)[-1] == (2, 2)


@pytest.mark.slow
def test_bar_counts_what_other_processes_do(data, quick, capfd):
    quick(verbose=1, n_jobs=2).fit(data.X, data.y, groups=data.groups)
    assert shown(capfd.readouterr().err)[-1] == (20, 20)


def test_models_are_the_same(data, quick):
    one, two = (quick(verbose=v).fit(data.X, data.y, groups=data.groups) for v in (0, 1))
    assert (one.decision_function(data.X) == two.decision_function(data.X)).all()


def test_bar_is_closed_when_fit_fails(data, quick, capfd, monkeypatch):
    train = Trainer.train
    calls, bars = [], []

    def fails_at_the_third(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("out of luck")
        return train(self, *args, **kwargs)

    def kept(*args):
        # a bar that nobody holds would be closed by the garbage collector
        bars.append(open_bar(*args))
        return bars[-1]

    monkeypatch.setattr(Trainer, "train", fails_at_the_third)
    monkeypatch.setattr("pafo_sk._progress.open_bar", kept)
    with pytest.raises(RuntimeError, match="out of luck"):
        quick(verbose=1).fit(data.X, data.y, groups=data.groups)
    err = capfd.readouterr().err
    # a closed bar ends its line
    assert err.endswith("\n")
    assert shown(err)[-1] == (1, 20)
    assert len(bars) == 1
    expect(5)
    advance(5)
    assert capfd.readouterr().err == ""


@pytest.fixture
def clock(monkeypatch):
    """tqdm's clock: every time it looks, a second has passed."""
    seconds = itertools.count()
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(seconds)))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("place", "most", "least"), [(io.StringIO, 60, 2), (Terminal, 2000, 300)])
def test_log_files_get_few_updates(place, most, least, monkeypatch, clock):
    stream = place()
    monkeypatch.setattr("sys.stderr", stream)
    with progress(1):
        expect(1000)
        assert sum(counted(range(1000))) == 499500
    states = shown(stream.getvalue())
    assert least <= len(states) <= most
    assert states[-1] == (1000, 1000)


def test_one_bar_within_another(capfd):
    with progress(1):
        expect(2)
        with progress(0):
            expect(7)
            advance(7)
        advance(2)
    assert {total for _, total in shown(capfd.readouterr().err)} == {2}

"""Data sets of the benchmark: each seed gives comparisons to train on and others to test on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _library import load_encoder, within_window
from _scorers import score
from sklearn.utils import Bunch

from pafo_sk import datasets

ENCODER = "all-MiniLM-L6-v2"
TEXTS = ["response_a", "response_b"]
DSP_USERS = {"academy": 60, "business": 20, "entertainment": 12, "literature": 8}
DSP_NOISE = 0.1  # share of labels that load_dsp flips by default
N_KNOWN = 38  # comparisons of a simulated user
N_TURNS = 10  # parts of the people of a consultation who are unseen in turn
STRANGER_SEED = 1000
N_CHOICES = 4  # responses of which a model picks one, on DSP
N_CHOICE_QUERIES = 40
UNSEEN_LENGTHS = (0, 2, 4, 8, 16, 30)


@dataclass(frozen=True)
class Part:
    """Comparisons, their winners (1 where b won) and the groups of their users."""

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Part:
        X = self.X[rows].reset_index(drop=True)
        return Part(X, self.y[rows], self.groups[rows])

    def __len__(self) -> int:
        return len(self.y)

    @property
    def users(self) -> np.ndarray:
        """The user of every row."""
        return self.X["user"].to_numpy()

    def first(self, n: int) -> Part:
        """Take the first ``n`` rows of every user."""
        return self[pd.Series(self.users).groupby(self.users).cumcount().to_numpy() < n]


@dataclass(frozen=True)
class Case:
    """One data set and seed.

    Methods learn from ``train``, and ``test`` holds other comparisons of the same users.
    ``history`` holds known comparisons of users who are not in ``train`` (the first n of each are
    used), and ``unseen`` holds the comparisons that test them. ``clean`` holds noiseless rows for
    the oracle. Where the labels of ``test`` have no noise, ``observed`` holds the same rows with
    labels as noisy as those of ``train``, on which promises made from training rows are checked.
    ``choices`` pairs the first of N_CHOICES responses to a new prompt with each of the others, for
    known users and in this order; y tells whether b is the one that the user wants most.
    """

    train: Part
    test: Part
    majority: object
    observed: Part | None = None
    history: Part | None = None
    unseen: Part | None = None
    clean: Part | None = None
    choices: Part | None = None


@dataclass(frozen=True)
class Source:
    """A data set, of which every seed gives a case.

    Attributes
    ----------
    make : callable (folder, seed) -> Case
    title : str
    same_people : bool
        Whether a user of one seed is the same person in the others.
    folder : str or None
        The folder in the data home that it reads; None: none.
    """

    make: Callable[[Path, int], Case]
    title: str
    same_people: bool = False
    folder: str | None = None


def _part(frame: pd.DataFrame, rows: np.ndarray | slice = slice(None), label: str = "y") -> Part:
    frame = frame.loc[rows].reset_index(drop=True)
    columns = [name for name in ("prompt", *TEXTS, "user") if name in frame]
    return Part(frame[columns], frame[label].to_numpy(), frame["group"].to_numpy(dtype=object))


def _case(train: Part, test: Part, **more: Part) -> Case:
    """Make a case whose majority has most training users, and keep known users in the test."""
    by_user = pd.Series(train.groups).groupby(train.users).first()
    known = np.isin(test.users, by_user.index)
    if "observed" in more:
        more["observed"] = more["observed"][known]
    return Case(train, test[known], by_user.value_counts().index[0], **more)


def dsp(folder: Path, seed: int, labels: str = "domain") -> Case:
    """Draw DSP, split by query; rows of the test and of the oracle have no noise."""
    rng = np.random.RandomState(seed)
    n_queries = datasets.load_dsp(folder, n_comparisons=1, random_state=0).n_queries
    order = rng.permutation(n_queries)
    cut = round(0.7 * n_queries)

    def draw(queries: np.ndarray, **options: object) -> Part:
        options = {"users": DSP_USERS, "labels": labels, **options}
        data = datasets.load_dsp(folder, queries=queries, random_state=rng, **options)
        frame = data.frame
        # The k-th user of a domain has the same name in every call.
        rank = frame.groupby("domain")["user"].rank(method="dense").astype(int)
        frame["user"] = frame["domain"] + "-" + rank.astype(str)
        return _part(frame)

    def strangers(part: Part) -> Part:
        return Part(part.X.assign(user="new-" + part.X["user"]), part.y, part.groups)

    known, new = order[:cut], order[cut:]
    one_each = dict.fromkeys(DSP_USERS, 1)
    clean = draw(known, n_comparisons=3 * cut, noise=0, users=one_each)
    train, test = draw(known, n_comparisons=N_KNOWN), draw(new, n_comparisons=120, noise=0)
    history = strangers(draw(known, n_comparisons=max(UNSEEN_LENGTHS)))
    unseen = strangers(draw(new, n_comparisons=120, noise=0))
    choices = dsp_choices(folder, train, new[:N_CHOICE_QUERIES])
    flipped = np.where(rng.random_sample(len(test)) < DSP_NOISE, 1 - test.y, test.y)
    return _case(
        train,
        test,
        observed=Part(test.X, flipped, test.groups),
        history=history,
        unseen=unseen,
        choices=choices,
        clean=clean if labels == "domain" else None,
    )


def dsp_choices(folder: Path, train: Part, queries: np.ndarray) -> Part:
    """Offer every training user the responses of all domains; the own domain's is wanted."""
    texts = dsp_responses(folder)
    texts = texts[texts["query"].isin(queries)].sort_values(["query", "domain"])
    first = texts.drop_duplicates("query").set_index("query")["response"]
    others = texts[texts.duplicated("query")]
    pairs = others.assign(response_a=first.loc[others["query"]].to_numpy())
    users = train.X["user"].drop_duplicates()
    frame = pd.DataFrame({"user": users}).merge(
        pairs.rename(columns={"response": "response_b"}), how="cross"
    )
    own = frame["user"].str.rsplit("-", n=1).str[0]
    group = pd.Series(train.groups, index=train.users).groupby(level=0).first()
    return _part(
        frame.assign(
            y=(frame["domain"] == own).astype(int), group=group.loc[frame["user"]].to_numpy()
        )
    )


def polis(folder: Path, seed: int) -> Case:
    """Hold out votes of known people, and find the groups from the training votes alone.

    A tenth of the people are unseen, another tenth with every seed: ten seeds meet everybody once.
    """
    frame = datasets.load_polis(folder, test_size=0.3, random_state=seed).frame
    people, code = np.unique(frame["user"], return_inverse=True)
    turn = np.random.RandomState(0).permutation(len(people)) % N_TURNS
    new, train = turn[code] == seed % N_TURNS, (frame["split"] == "train").to_numpy()
    return _case(
        _part(frame, train & ~new),
        _part(frame, ~train & ~new),
        history=_part(frame, train & new),
        unseen=_part(frame, ~train & new),
    )


def ukp(folder: Path, seed: int, n_rows: int = 6000, most: int = 40) -> Case:
    """Hold out pairs, of workers who are drawn at random until they have ``n_rows`` judgments.

    Ties are dropped, then workers with fewer than 10 judgments; at most ``most`` judgments of a
    worker are used. The group of a worker is their most frequent stance, for or against the side
    that the arguments take; workers who never gave one are left out. There is no prompt, because
    both arguments of a pair are on one side of one topic. Judgments of one pair are all in the
    training part or all in the test part. As many judgments again come from unseen workers, who are
    tested on the same pairs.
    """
    rng = np.random.RandomState(seed)
    texts = pd.read_parquet(folder / "arguments.parquet").set_index("arg_id")["text"]
    frame = pd.read_parquet(folder / "judgments.parquet").astype(object)
    frame = frame[frame["value"] != "equal"]
    frame = frame[frame.groupby("user")["value"].transform("size") >= 10]
    stance = frame[frame["worker_stance"].isin(["same", "opposite"])]
    stance = stance.groupby("user")["worker_stance"].agg(lambda s: s.value_counts().index[0])
    frame = frame[frame["user"].isin(stance.index)]
    frame = frame.iloc[rng.permutation(len(frame))]
    frame = frame[frame.groupby("user").cumcount() < most]
    size = frame.groupby("user").size()
    size = size.iloc[rng.permutation(len(size))]
    turn = frame["user"].map(size.cumsum())
    frame, turn = frame[turn <= 2 * n_rows], turn[turn <= 2 * n_rows]
    stranger = (turn > n_rows).to_numpy()
    pairs = frame.loc[~stranger, "pair_id"].unique()
    new = frame["pair_id"].isin(pairs[rng.permutation(len(pairs)) < 0.3 * len(pairs)]).to_numpy()
    swap = np.empty(len(frame), dtype=bool)
    for side in (~stranger, stranger):
        swap[side] = rng.random_sample(side.sum()) < 0.5
    one, two = (texts.loc[frame[f"arg{k}_id"]].to_numpy() for k in (1, 2))
    frame = frame.assign(
        response_a=np.where(swap, two, one),
        response_b=np.where(swap, one, two),
        y=((frame["value"] == "a2") ^ swap).astype(int),
        group=stance.loc[frame["user"]].to_numpy(),
    )
    return _case(
        _part(frame, ~new & ~stranger),
        _part(frame, new & ~stranger),
        history=_part(frame, ~new & stranger),
        unseen=_part(frame, new & stranger),
    )


def dsp_responses(folder: Path) -> pd.DataFrame:
    """Read the response of every domain to every query of DSP."""
    n_queries = datasets.load_dsp(folder, n_comparisons=1, random_state=0).n_queries
    everything = datasets.load_dsp(
        folder,
        users=dict.fromkeys(DSP_USERS, 1),
        n_comparisons=3 * n_queries,
        noise=0,
        random_state=0,
    ).frame
    wins = everything.drop_duplicates(["query", "domain"])
    text = np.where(wins["y"] == 1, wins["response_b"], wins["response_a"])
    return wins.assign(response=text)[["query", "prompt", "domain", "response"]]


def personal_llm_data(folder: Path, seed: int, alpha: float, draw: int | None = None) -> Bunch:
    """Draw PersonalLLM's users on the DSP responses, with scores of texts as reward models.

    One scorer, which changes with the seed, is the favourite of about 70 % of the users. ``draw``
    is the seed of the users and comparisons; None: ``seed``.
    """
    texts = dsp_responses(folder)
    wide = texts.pivot(index=["query", "prompt"], columns="domain", values="response")
    table = {"prompt": wide.index.get_level_values("prompt")}
    for number, domain in enumerate(wide.columns, start=1):
        table[f"response_{number}"] = wide[domain].to_numpy()
        scores = pd.DataFrame([score(text) for text in wide[domain]])
        table |= {f"response_{number}_{name}": scores[name].to_numpy() for name in scores}
    names = sorted(scores)
    weights = np.full(len(names), 10 * alpha)
    share = favourite_share(alpha, len(names), 0.7)
    weights *= (1 - share) / (len(names) - 1)
    weights[seed % len(names)] = 10 * alpha * share
    return datasets.load_personal_llm(
        pd.DataFrame(table),
        alpha=weights,
        n_comparisons=160,
        group_by="majority",
        random_state=seed if draw is None else draw,
    )


def personal_llm(folder: Path, seed: int, alpha: float) -> Case:
    """Hold out 30 % of the prompts of PersonalLLM's users; others of the same kind are unseen."""
    known = personal_llm_data(folder, seed, alpha).frame
    others = personal_llm_data(folder, seed, alpha, draw=STRANGER_SEED + seed).frame
    others["user"] = "new-" + others["user"].astype(str)
    order = np.random.RandomState(seed).permutation(known["prompt_index"].max() + 1)
    parts = []
    for frame in (known, others):
        new = order[frame["prompt_index"].to_numpy()] < 0.3 * len(order)
        parts += [_part(frame, ~new).first(N_KNOWN), _part(frame, new)]
    return _case(*parts[:2], history=parts[2], unseen=parts[3])


def favourite_share(alpha: float, n: int, target: float) -> float:
    """Find the share of the total concentration ``n * alpha`` that makes one scorer the favourite.

    With it, the scorer has the largest weight for a share ``target`` of the users. Found by
    bisection, because it depends on alpha: for a small alpha it is about the target, and for a
    large one it is much smaller.
    """
    low, high = 1 / n, 0.99
    for _ in range(20):
        share = (low + high) / 2
        a = n * alpha * np.r_[share, np.full(n - 1, (1 - share) / (n - 1))]
        rng = np.random.RandomState(0)
        # The logarithm of a gamma variable, because the variable underflows for small alpha.
        logs = np.log(rng.standard_gamma(a + 1, (4000, n)))
        logs -= rng.standard_exponential((4000, n)) / a
        low, high = (low, share) if (logs.argmax(axis=1) == 0).mean() > target else (share, high)
    return share


def synthetic(folder: Path, seed: int) -> Case:
    """Draw from make_preferences: noisy labels to train on, and noiseless ones to test on."""
    data = datasets.make_preferences(n_comparisons=N_KNOWN + 60, random_state=seed)
    frame = data.frame.assign(y_clean=(data.frame["margin"] > 0).astype(int))
    known = frame.groupby("user").cumcount() < N_KNOWN
    columns = list(data.X)
    parts = [
        Part(
            frame.loc[rows, columns].reset_index(drop=True),
            frame.loc[rows, label].to_numpy(),
            frame.loc[rows, "group"].to_numpy(dtype=object),
        )
        for rows, label in ((known, "y"), (~known, "y_clean"), (~known, "y"))
    ]
    return _case(*parts[:2], observed=parts[2])


SOURCES = {
    "taxes": Source(polis, "Polis, taxes", same_people=True, folder="polis/taxes"),
    "land-bank": Source(polis, "Polis, land bank", same_people=True, folder="polis/land-bank"),
    "dsp4": Source(dsp, "DSP, four labels", folder="dsp"),
    "dsp2": Source(
        lambda folder, seed: dsp(folder, seed, "majority"), "DSP, two labels", folder="dsp"
    ),
    "ukp": Source(ukp, "UKPConvArg1 (control)", same_people=True, folder="ukpconvarg1"),
    **{
        f"personal-{alpha:g}": Source(
            lambda folder, seed, alpha=alpha: personal_llm(folder, seed, alpha),
            f"PersonalLLM, alpha {alpha:g}",
            folder="dsp",
        )
        for alpha in (0.01, 0.1, 1.0)
    },
    "synthetic": Source(synthetic, "make_preferences"),
}


def data_home(given: str | None) -> Path:
    """Return ``given``, or else the folder that the environment variable PAFO_SK_DATA names."""
    home = given or os.environ.get("PAFO_SK_DATA")
    if home is None:
        raise SystemExit("No data: pass --data-home or set PAFO_SK_DATA (see benchmarks/README.md)")
    return Path(home)


def texts_of(case: Case, encoder: str = ENCODER) -> list[str]:
    """List every text that is encoded for a case; there are none in numeric data."""
    found: dict[str, None] = {}
    for part in (case.train, case.test, case.history, case.unseen, case.clean, case.choices):
        if part is not None and TEXTS[0] in part.X:
            for side in TEXTS:
                found |= dict.fromkeys(joined(part.X, side, encoder))
    return list(found)


def joined(X: pd.DataFrame, side: str, encoder: str = ENCODER) -> list[str]:
    """Join prompts and responses as the library does, within the encoder's window."""
    prompts = X["prompt"].tolist() if "prompt" in X else [""] * len(X)
    pairs = list(zip(prompts, X[side], strict=True))
    unique = list(dict.fromkeys(pairs))
    some_prompts, responses = zip(*unique, strict=True)
    texts, _ = within_window(some_prompts, responses, load_encoder(encoder))
    text_of = dict(zip(unique, texts, strict=True))
    return [text_of[pair] for pair in pairs]

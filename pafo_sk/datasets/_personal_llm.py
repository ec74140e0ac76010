"""PersonalLLM: users simulated as random mixtures of reward models."""

import os
import re
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._remote import RemoteFile, fetch, get_data_home
from pafo_sk.datasets._tables import check_columns, read_csv, to_pandas

_DESCR = """\
PersonalLLM

Source: T. Zollo, A. Siah et al., "PersonalLLM: Tailoring LLMs to Individual Preferences", ICLR
2025, arXiv:2409.20296; https://github.com/namkoong-lab/PersonalLLM (Apache-2.0), tables at
https://huggingface.co/datasets/namkoong-lab/PersonalLLM (CC BY 4.0).

Rows: the users are simulated. A user has weights w drawn from a Dirichlet distribution over the
reward models; the reward of a response is sum_j w_j (R_j - mean_j) / std_j, with the mean and
standard deviation of model j over all responses in the table. A comparison is two random
responses to a random prompt, won by the one of higher reward; {n_equal} of the {n_rows} rows
compare two equal texts, and their labels say nothing. Groups: {groups}.
"""
_HUB = "https://huggingface.co/datasets/namkoong-lab/PersonalLLM/resolve/main/data/"
# Their digests are not known to us, so those of the first use count.
REMOTES = {
    split: RemoteFile(f"personal_llm.{split}.parquet", f"{_HUB}{split}-00000-of-00001.parquet")
    for split in ("test", "train")
}
_GROUPS = {
    "reward_model": "the reward model of a user's largest weight",
    "majority": '"majority" for the reward model that is the largest weight of most users, '
    '"minority" for all others',
}
_EXPECTED = (
    "Expected: columns prompt, response_1, response_2, ... and for each of them one number for "
    "each reward model, named response_1_<reward model>, response_2_<reward model>, ..."
)


def fetch_personal_llm(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    split: str = "train",
    sha256: str | None = None,
    **load_options: Any,
) -> Bunch:
    """Download a table of PersonalLLM and load it with simulated users.

    The file comes from the authors' data set on the Hugging Face hub (CC BY 4.0), and is kept as
    ``<data_home>/personal_llm/personal_llm.<split>.parquet``. Its SHA-256 digest is **not** known
    to us: it is recorded beside the file (``.sha256``) at the first use, and later uses are
    checked against that record. Pass `sha256` to pin it from the start.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder for fetched files. None: the environment variable ``PAFO_SK_DATA``, else
        ``~/pafo_sk_data``.
    download_if_missing : bool, default=True
        Whether to download a missing file. False: a missing file is an error.
    split : {"train", "test"}, default="train"
        The file to load: 83 MB, or 9 MB.
    sha256 : str, default=None
        Expected SHA-256 digest of the file, instead of the recorded one.
    **load_options
        Any keyword parameter of :func:`load_personal_llm`: `alpha`, `n_users`, `random_state`...

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As :func:`load_personal_llm` returns it.

    Raises
    ------
    ImportError
        If a download needs pooch: ``pip install "pafo_sk[download]"``.
    OSError
        If the file is missing and must not or cannot be downloaded (the message has its address
        and the place to save it at), or if its digest is not the expected one.
    ValueError
        If a parameter has a wrong value.

    Examples
    --------
    The usual call is ``fetch_personal_llm(random_state=0)``. Here the file is a tiny one, already
    there:

    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> from pafo_sk.datasets import fetch_personal_llm
    >>> table = pd.DataFrame({"prompt": ["Hello!"], "response_1": ["Hi."], "response_2": ["Hey!"],
    ...                       "response_1_short": [1.0], "response_2_short": [-1.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "personal_llm", "personal_llm.test.parquet")
    ...     file.parent.mkdir()
    ...     table.to_parquet(file)
    ...     data = fetch_personal_llm(data_home=folder, split="test", n_users=2, n_comparisons=3)
    >>> len(data.X)
    6
    """
    if split not in REMOTES:
        raise ValueError(f"split must be one of {list(REMOTES)}; got {split!r}.")
    path = fetch(
        REMOTES[split],
        get_data_home(data_home) / "personal_llm",
        download_if_missing=download_if_missing,
        sha256=sha256,
    )
    return load_personal_llm(path, **load_options)


@validate_params(
    {
        "alpha": ["array-like", Interval(Real, 0, None, closed="neither")],
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_comparisons": [Interval(Integral, 1, None, closed="left")],
        "group_by": [StrOptions(set(_GROUPS))],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_personal_llm(
    path_or_frame: Any,
    *,
    alpha: ArrayLike = 0.01,
    n_users: int = 100,
    n_comparisons: int = 30,
    group_by: str = "reward_model",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Load a PersonalLLM table with simulated users.

    Parameters
    ----------
    path_or_frame : str, path-like or table
        A CSV or Parquet file, or a table (pandas, polars, pyarrow, Hugging Face ``Dataset``, dict)
        with the columns `prompt`, `response_1`, `response_2`, ... (eight in the published tables)
        and `response_{i}_{reward model}` (ten reward models). Reward models are found by these
        names. `response_{i}_model` is the name of the language model and not a reward.
    alpha : float or array-like of float, default=0.01
        Concentration of the Dirichlet distribution. Below 1, most of a user's weight lies on one
        reward model. One number for each reward model, in alphabetical order, makes groups of
        different size: their shares are about ``alpha / sum(alpha)`` when all are small.
    n_users : int, default=100
        Number of users.
    n_comparisons : int, default=30
        Number of comparisons of each user.
    group_by : {"reward_model", "majority"}, default="reward_model"
        Group labels: the reward model of the user's largest weight, or "majority" for the most
        frequent of these and "minority" for all others.
    random_state : int, RandomState instance or None, default=None
        Determines the users, their comparisons, the sides and the order of rows.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        frame : DataFrame
            All below, and `prompt_index` (row of the table), `winner_response` and
            `loser_response` (their numbers), `margin` (difference of the user's rewards) and
            `reward_model` (of the user's largest weight).
        X : DataFrame
            Columns `prompt`, `response_a`, `response_b`, `user`.
        y : ndarray of int
            0: `response_a` won; 1: `response_b` won. Of two equal rewards, either wins at random.
        groups, users : ndarray
            Group label and user of each row.
        user_weights : DataFrame
            Weight of each reward model (columns) for each user (index).
        DESCR : str
            Source, licence, how the rows were made, and how many compare two equal texts.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If columns are missing or hold no values, if rewards are not numbers, if a reward model
        gives every response the same reward, or if the table is one of PersonalLLM's interaction
        tables.

    References
    ----------
    .. [1] T. Zollo, A. Siah et al., "PersonalLLM: Tailoring LLMs to Individual Preferences",
       ICLR 2025, arXiv:2409.20296.

    Examples
    --------
    >>> from pafo_sk.datasets import load_personal_llm
    >>> table = {"prompt": ["Hello!"], "response_1": ["Hi."], "response_2": ["Hello, friend!"],
    ...          "response_1_short": [1.0], "response_2_short": [-1.0],
    ...          "response_1_warm": [0.0], "response_2_warm": [2.0]}
    >>> data = load_personal_llm(table, n_users=4, n_comparisons=2, random_state=0)
    >>> data.user_weights.columns.to_list(), len(data.X)
    (['short', 'warm'], 8)
    """
    rng = check_random_state(random_state)
    source, table = _read(path_or_frame)
    models, numbers, texts, rewards = _parse(table, source)
    n_prompts, n_responses = rewards.shape[:2]
    weights = _dirichlet(_check_alpha(alpha, models), n_users, rng)

    user = np.repeat(np.arange(n_users), n_comparisons)
    prompt = rng.randint(n_prompts, size=len(user))
    one = rng.randint(n_responses, size=len(user))
    two = (one + 1 + rng.randint(n_responses - 1, size=len(user))) % n_responses
    margin = np.einsum("nj,nj->n", rewards[prompt, one] - rewards[prompt, two], weights[user])
    winner, loser = np.where(margin >= 0, [one, two], [two, one])  # on a tie, `one` is random

    dominant = np.array(models, dtype=object)[weights.argmax(axis=1)]
    frame = pd.DataFrame(
        {
            "prompt": table["prompt"].to_numpy(dtype=object)[prompt],
            "winner": texts[prompt, winner],
            "loser": texts[prompt, loser],
            "user": user,
            "group": dominant[user],
            "prompt_index": prompt,
            "winner_response": numbers[winner],
            "loser_response": numbers[loser],
            "margin": np.abs(margin),
            "reward_model": dominant[user],
        }
    )
    if group_by == "majority":
        most = pd.Series(dominant).value_counts(sort=True).index[0]
        frame["group"] = np.where(frame["group"] == most, "majority", "minority")
    n_equal = int((frame["winner"] == frame["loser"]).sum())
    return text_bunch(
        frame,
        rng=rng,
        descr=_DESCR.format(groups=_GROUPS[group_by], n_equal=n_equal, n_rows=len(frame)),
        user_weights=pd.DataFrame(weights, columns=models).rename_axis("user"),
    )


def _read(path_or_frame: Any) -> tuple[str, pd.DataFrame]:
    """Return a name for error messages, and the table as pandas."""
    if not isinstance(path_or_frame, (str, os.PathLike)):
        return "path_or_frame", to_pandas(path_or_frame, "path_or_frame")
    path = Path(path_or_frame)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; path_or_frame must be a file or a table.")
    if path.suffix in (".parquet", ".pq"):
        return str(path), pd.read_parquet(path)
    if ".csv" in path.suffixes[-2:]:
        return str(path), read_csv(path, r"prompt|response_\d+")
    raise ValueError(f"{path} must be a .csv or .parquet file; or read it and pass the table.")


def _parse(
    table: pd.DataFrame, source: str
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the reward models, the responses and their standardised rewards from a table.

    Returns
    -------
    models : list of str
    numbers : ndarray of int, shape (n_responses,)
        Numbers of the responses in the names of their columns.
    texts : ndarray of object, shape (n_prompts, n_responses)
    rewards : ndarray, shape (n_prompts, n_responses, n_models)
    """
    columns = [str(column) for column in table.columns]
    if {"person_weight", "prompt_1"} & set(columns):
        raise ValueError(
            f"{source} is in PersonalLLM's interaction format (one row a person, with person_id, "
            "person_weight, prompt_1, response_1, reward_1, ...): its responses answer different "
            "prompts and cannot be compared. Pass the table of prompts with several rewarded "
            f"responses each. {_EXPECTED}"
        )
    numbers = sorted({int(c.split("_")[1]) for c in columns if re.fullmatch(r"response_\d+", c)})
    scores: dict[str, list[int]] = {}
    for column in columns:
        if found := re.fullmatch(r"response_(\d+)_(?!model$)(.+)", column):
            scores.setdefault(found[2], []).append(int(found[1]))
    models = sorted(scores)
    if "prompt" not in columns or len(numbers) < 2 or not models:
        raise ValueError(
            f"{source} is not a PersonalLLM table: it has {len(numbers)} response columns and "
            f"{len(models)} reward models{'' if 'prompt' in columns else ', and no prompt'}. "
            f"{_EXPECTED} Its columns are {columns[:20]}."
        )
    text_columns = [f"response_{i}" for i in numbers]
    reward_columns = [f"{text}_{model}" for text in text_columns for model in models]
    check_columns(table, ["prompt", *text_columns, *reward_columns], source)
    stray = [f"response_{i}_{m}" for m in models for i in scores[m] if i not in numbers]
    if stray:
        raise ValueError(f"{source}: columns {stray} are rewards of responses that do not exist.")

    for column in ["prompt", *text_columns]:
        check_rows(table[column].isna(), f"{source}: no text in {column!r}")
    values = table[reward_columns].apply(pd.to_numeric, errors="coerce").astype(float)
    for column in values:
        check_rows(~np.isfinite(values[column]), f"{source}: {column!r} is not a finite number")
    rewards = values.to_numpy().reshape(len(table), len(numbers), len(models))
    spread = rewards.std(axis=(0, 1)) if len(table) else np.zeros(len(models))
    # the mean of equal rewards rounds, so that their spread may be above zero
    equal = spread <= 1e-12 * np.abs(rewards).max(axis=(0, 1), initial=0)
    if equal.any():
        same = [models[j] for j in np.flatnonzero(equal)]
        raise ValueError(
            f"{source}: reward models {same} give every response the same reward. Drop their "
            "columns."
        )
    texts = table[text_columns].to_numpy(dtype=object)
    return models, np.array(numbers), texts, (rewards - rewards.mean(axis=(0, 1))) / spread


def _check_alpha(alpha: ArrayLike, models: list[str]) -> np.ndarray:
    """Return the concentration of every reward model."""
    values = np.asarray(alpha, dtype=float)
    in_range = (values > 0) & (values < np.inf)
    if values.ndim > 1 or (values.ndim and len(values) != len(models)) or not in_range.all():
        raise ValueError(
            f"alpha must be a positive, finite number, or one for each of the {len(models)} "
            f"reward models {models}; got {alpha!r}."
        )
    return np.broadcast_to(values, len(models))


def _dirichlet(alpha: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw from a Dirichlet distribution in logarithms, because small `alpha` underflow otherwise.

    If G ~ Gamma(a + 1) and E ~ Exp(1), then log G - E / a is the logarithm of a Gamma(a) variable.
    """
    shape = (size, len(alpha))
    logs = np.log(rng.standard_gamma(alpha + 1, size=shape))
    logs -= rng.standard_exponential(size=shape) / alpha
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)

"""Domain-Specific Preference (DSP): real responses, simulated users with opposite tastes."""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._dsp_file import REMOTES, find_dsp, read_dsp
from pafo_sk.datasets._remote import fetch, get_data_home
from pafo_sk.datasets._users import draw_rows

_USERS = MappingProxyType({"academy": 60, "business": 20, "entertainment": 12, "literature": 8})
_AGAINST = ("academy", "business", "entertainment", "literature")

_DESCR = """\
Domain-Specific Preference (DSP)

Source: P. Cheng et al., "Everyone Deserves A Reward: Learning Customized Human Preferences",
arXiv:2309.03126; https://github.com/Linear95/DSP. Licence of the data: CC BY-NC 4.0.
Each query has one response written for each of four domains (academy, business, entertainment,
literature) and the original one ("normal").

Rows: the users are simulated. A user belongs to a domain and prefers its response to those of the
other domains in `against`; (query, other domain) pairs are drawn for each user without
replacement while there are enough; each label is flipped with probability `noise`, and the sides
are random. The groups of two domains label a pair of their responses oppositely. Pairs against
"normal" are left out unless `against` names it, because length alone tells who wins (in the public
queries, "normal" responses have 57.8 words on average, and the others 122.0). Domains may share a
response: {n_equal} of the {n_rows} rows compare two equal texts, and their labels say nothing.
"""


def fetch_dsp(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    split: str = "test",
    sha256: str | None = None,
    **load_options: Any,
) -> Bunch:
    """Download the Domain-Specific Preference data and load it with simulated users.

    The file comes from the authors' repository, at one fixed commit. It is kept as
    ``<data_home>/dsp/domain_specific_preference.<split>.json``, and its SHA-256 digest is checked
    at every use. The digest of the test file is built in. The digest of the train file is **not**
    known to us: it is recorded beside the file (``.sha256``) at the first download, and later
    uses are checked against that record. Pass `sha256` to pin it from the start. The data may be
    used for non-commercial purposes (CC BY-NC 4.0).

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder for fetched files. None: the environment variable ``PAFO_SK_DATA``, else
        ``~/pafo_sk_data``.
    download_if_missing : bool, default=True
        Whether to download a missing file. False: a missing file is an error.
    split : {"test", "train"}, default="test"
        The file to load: 661 test queries, or the rest of some 13,000.
    sha256 : str, default=None
        Expected SHA-256 digest of the file, instead of the built-in or recorded one.
    **load_options
        Any keyword parameter of :func:`load_dsp`: `users`, `n_comparisons`, `random_state`...

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As :func:`load_dsp` returns it.

    Raises
    ------
    ImportError
        If a download needs pooch: ``pip install "pafo_sk[download]"``.
    OSError
        If the file is missing and must not or cannot be downloaded, or if its digest is not the
        expected one (the message has both, and a wrong download is not kept).
    ValueError
        If a parameter has a wrong value.

    Examples
    --------
    The usual call is ``fetch_dsp(random_state=0)``. Here the file is a tiny one, already there:

    >>> import json, pathlib, tempfile
    >>> from pafo_sk.datasets import fetch_dsp
    >>> item = {"query": "What is rain?", "responses": {"academy": "Precipitation.",
    ...         "entertainment": "The sky crying!"}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "dsp", "domain_specific_preference.train.json")
    ...     file.parent.mkdir()
    ...     _ = file.write_text(json.dumps([item]))
    ...     data = fetch_dsp(data_home=folder, download_if_missing=False, split="train",
    ...                      users={"academy": 2, "entertainment": 1}, n_comparisons=1, noise=0,
    ...                      against=["academy", "entertainment"], random_state=0)
    >>> len(data.X), sorted(data.groups)
    (3, ['academy', 'academy', 'entertainment'])
    """
    if split not in REMOTES:
        raise ValueError(f"split must be one of {list(REMOTES)}; got {split!r}.")
    path = fetch(
        REMOTES[split],
        get_data_home(data_home) / "dsp",
        download_if_missing=download_if_missing,
        sha256=sha256,
    )
    return load_dsp(path, **load_options)


@validate_params(
    {
        "n_comparisons": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="both")],
        "against": [list, tuple],
        "labels": [StrOptions({"domain", "majority"})],
        "queries": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_dsp(
    path: str | os.PathLike[str] | None = None,
    *,
    users: Mapping[str, int] = _USERS,
    n_comparisons: int = 38,
    noise: float = 0.1,
    against: Sequence[str] = _AGAINST,
    labels: str = "domain",
    queries: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Load Domain-Specific Preference data with simulated users.

    A user of a domain prefers that domain's response to each other one. This function never
    downloads; :func:`fetch_dsp` does.

    Parameters
    ----------
    path : str or path-like, default=None
        The JSON file, or a folder that has it there or in a subfolder ``dsp``. None: the folder
        where :func:`fetch_dsp` keeps it.
    users : dict, default={"academy": 60, "business": 20, "entertainment": 12, "literature": 8}
        Number of users of each domain.
    n_comparisons : int, default=38
        Number of comparisons of each user. They are drawn from the (query, other domain) pairs
        without replacement; if there are fewer pairs, each is used equally often, up to one.
    noise : float, default=0.1
        Probability that the label of a row is flipped.
    against : list of str, default=("academy", "business", "entertainment", "literature")
        Domains with which the user's own domain is compared. "normal" may be added, but length
        alone tells who wins those pairs.
    labels : {"domain", "majority"}, default="domain"
        Group labels: the user's domain, or "majority" for the domain with most users and
        "minority" for all others.
    queries : array-like of int, default=None
        Positions in the file of the queries to use, for a split by query. None: all.
    random_state : int, RandomState instance or None, default=None
        Determines the users' comparisons, the flipped labels, the sides and the order of rows.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        frame : DataFrame
            All below, and `domain`, `other` (the domain compared with), `query` (position in the
            file), `y_clean` (before the noise).
        X : DataFrame
            Columns `prompt`, `response_a`, `response_b`, `user`.
        y : ndarray of int
            0: `response_a` won; 1: `response_b` won.
        groups, users : ndarray
            Group label and user of each row.
        n_queries : int
            Number of queries in the file, used or not.
        filename : str
            The file read.
        DESCR : str
            Source, licence, how the rows were made, and how many compare two equal texts.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file has another form, or a domain or query does not exist.

    References
    ----------
    .. [1] P. Cheng et al., "Everyone Deserves A Reward: Learning Customized Human Preferences",
       arXiv:2309.03126, 2023.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> from pafo_sk.datasets import load_dsp
    >>> item = {"query": "What is rain?", "responses": {"academy": "Precipitation.",
    ...         "entertainment": "The sky crying!"}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "domain_specific_preference.json")
    ...     _ = file.write_text(json.dumps([item]))
    ...     data = load_dsp(folder, users={"academy": 1}, n_comparisons=1, noise=0,
    ...                     against=["entertainment"], random_state=0)
    >>> data.X[["response_a", "response_b"]].to_numpy()[0, data.y[0]]
    'Precipitation.'
    """
    rng = check_random_state(random_state)
    file = find_dsp(path)
    prompts, responses = read_dsp(file)
    counts = _check_users(users, against, list(responses.columns), file)
    chosen = _check_queries(queries, len(prompts))
    against = list(dict.fromkeys(against))
    for domain in dict.fromkeys([*counts, *against]):
        bad = [not isinstance(text, str) for text in responses[domain]]
        check_rows(bad, f"{file}: no text in responses[{domain!r}]")

    parts = []
    for domain, n_users in counts.items():
        others = [other for other in against if other != domain]
        drawn = draw_rows(rng, len(chosen) * len(others), n_comparisons, n_users)
        part = pd.DataFrame({"query": chosen[drawn.ravel() // len(others)], "domain": domain})
        part["other"] = np.array(others, dtype=object)[drawn.ravel() % len(others)]
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    ids = rng.permutation(sum(counts.values()))
    frame["user"] = np.repeat(ids, n_comparisons)
    frame["prompt"] = np.array(prompts, dtype=object)[frame["query"]]
    texts = responses.to_numpy(dtype=object)
    for column, source in {"winner": "domain", "loser": "other"}.items():
        frame[column] = texts[frame["query"], responses.columns.get_indexer(frame[source])]
    frame["group"] = frame["domain"]
    if labels == "majority":
        is_majority = frame["domain"] == max(counts, key=counts.__getitem__)
        frame["group"] = np.where(is_majority, "majority", "minority")
    n_equal = int((frame["winner"] == frame["loser"]).sum())
    return text_bunch(
        frame,
        rng=rng,
        descr=_DESCR.format(n_equal=n_equal, n_rows=len(frame)),
        noise=noise,
        n_queries=len(prompts),
        filename=str(file),
    )


def _check_users(
    users: Mapping[str, int], against: Sequence[str], domains: list[str], file: Path
) -> dict[str, int]:
    """Return the number of users of every domain that has any."""
    if isinstance(users, str) or not hasattr(users, "items"):
        raise ValueError(f"users must be a dict from domain to number of users; got {users!r}.")
    wrong = {d: n for d, n in users.items() if not isinstance(n, Integral) or n < 0}
    if wrong or not sum(users.values()):
        raise ValueError(f"users must hold numbers of users, not all of them 0; got {dict(users)}.")
    unknown = sorted({*users, *against} - set(domains))
    if unknown:
        raise ValueError(
            f"users and against name {unknown}, but the domains in {file} are {list(domains)}."
        )
    counts = {domain: int(n) for domain, n in users.items() if n}
    for domain in counts:
        if not set(against) - {domain}:
            raise ValueError(
                f"against={list(against)} leaves nothing to compare {domain!r} with; name another "
                "domain in it."
            )
    return counts


def _check_queries(queries: ArrayLike | None, n_queries: int) -> np.ndarray:
    """Return the positions of the queries to use."""
    if queries is None:
        return np.arange(n_queries)
    chosen = np.asarray(queries)
    if chosen.ndim != 1 or not len(chosen) or chosen.dtype.kind not in "iu":
        raise ValueError("queries must be a one-dimensional array of positions (int), not empty.")
    if chosen.min() < 0 or chosen.max() >= n_queries or len(np.unique(chosen)) < len(chosen):
        raise ValueError(
            f"queries must be distinct positions from 0 to {n_queries - 1}; got "
            f"{chosen.min()} to {chosen.max()}, {len(np.unique(chosen))} distinct of {len(chosen)}."
        )
    return chosen

"""Preference data: downloaded, loaded, converted or made.

Every function returns a :class:`sklearn.utils.Bunch` with `frame`, `X`, `y`, `groups`, `users` and
`DESCR`; `y` is 0 where `response_a` won and 1 where `response_b` won. `load_parquet` makes no
frame, because its rows may not fit in memory as one, nor does `from_strengths`, which takes X in
any form.
"""

from pafo_sk.datasets._arena import from_arena
from pafo_sk.datasets._dsp import fetch_dsp, load_dsp
from pafo_sk.datasets._pairs import from_chosen_rejected
from pafo_sk.datasets._parquet import load_parquet
from pafo_sk.datasets._personal_llm import fetch_personal_llm, load_personal_llm
from pafo_sk.datasets._polis import load_polis, polis_groups
from pafo_sk.datasets._prism import load_prism
from pafo_sk.datasets._rankings import from_rankings
from pafo_sk.datasets._ratings import from_ratings
from pafo_sk.datasets._strengths import from_strengths
from pafo_sk.datasets._synthetic import make_preferences
from pafo_sk.datasets._text import make_text_preferences

__all__ = [
    "fetch_dsp",
    "fetch_personal_llm",
    "from_arena",
    "from_chosen_rejected",
    "from_rankings",
    "from_ratings",
    "from_strengths",
    "load_dsp",
    "load_parquet",
    "load_personal_llm",
    "load_polis",
    "load_prism",
    "make_preferences",
    "make_text_preferences",
    "polis_groups",
]

"""
Real responses, opposite tastes: the Domain-Specific Preference data
====================================================================

Every query has four responses, written for readers of four domains, and a user prefers the one of
their own domain to the others. Any two domains label the pair of their responses oppositely, so
one reward for everybody must fail one of them. The responses are real. The 100 users are simulated:
60, 20, 12 and 8 in the four domains, with 38 comparisons each, and one label in ten is flipped. The
models are tested on new queries by the same users, without flips.

Run ``python examples/plot_dsp.py FOLDER [--output FOLDER]``.
"""

# %%
# Data
# ----
# Queries are split 70 to 30. Pairs against the fifth response of a query, "normal", are left out,
# because length alone tells who wins. One response in five is longer than the encoder's window of
# 256 tokens. The library warns of that at every fit, and the example silences the warning.

import warnings

import numpy as np
from _compare import compare, parse_arguments, report

from pafo_sk.datasets import load_dsp

warnings.filterwarnings("ignore", message=".* longer than the encoder's window")

arguments = parse_arguments(
    "PAFO and its rivals on the Domain-Specific Preference data.",
    "dsp",
    "To get the data (CC BY-NC 4.0):\n"
    "  pip install 'pafo_sk[download]'\n"
    "  python -c \"from pafo_sk.datasets import fetch_dsp; fetch_dsp(data_home='data')\"\n"
    "Then run: python examples/plot_dsp.py data/dsp",
)

n_queries = load_dsp(arguments.path, n_comparisons=1).n_queries
order = np.random.RandomState(arguments.random_state).permutation(n_queries)
n_train = round(0.7 * n_queries)


def load(queries, **options):
    """Load comparisons on some queries; users are numbered within their domain."""
    data = load_dsp(arguments.path, queries=queries, random_state=arguments.random_state, **options)
    number = data.frame.groupby("domain")["user"].rank(method="dense").astype(int)
    return data.X.assign(user=data.frame["domain"] + " " + number.astype(str)), data


X, train = load(order[:n_train], n_comparisons=38, noise=0.1)
X_test, test = load(order[n_train:], n_comparisons=100, noise=0)
print(f"{len(X)} comparisons on {n_train} queries, {len(X_test)} on {n_queries - n_train} others")

# %%
# Five models
# -----------
# The minority are the users of all domains but the largest.

table, pafo = compare(X, train.y, train.groups, X_test, test.y, test.groups, arguments.random_state)
print(pafo.pareto_report_[["n_users", "pooled", "specialist", "unified"]].round(3).to_string())

# %%
# Upper right of pooled is better for both
# ----------------------------------------

report("DSP, new queries", table, pafo, "dsp", arguments.output)

"""
Best of n, and what a policy would do
=====================================

A reward model is there to choose responses, and accuracy on pairs says little of how good the
chosen ones are. Here each user is given the best of n responses by the pooled reward, and by the
personal one. A policy that is trained on a reward seeks such responses as well, so the curves tell
for whom it may improve.

The comparisons are made, of vectors, because the true utility must be known. The example takes
seconds and needs no encoder.
"""

# %%
# Two tastes that disagree
# ------------------------
# One user in four has the rare taste, which points slightly away from the common one.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences
from pafo_sk.metrics import best_of_n_report

data = make_preferences(
    n_users=60,
    n_comparisons=25,
    n_features=8,
    group_shares=(0.75, 0.25),
    similarity=-0.3,
    random_state=0,
)
pooled = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
pafo = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
print("Status:", pafo.pareto_status_)

# %%
# Responses to choose from
# ------------------------
# Every user asks ten new prompts, each with 64 responses. ``reward`` gives one number for each.

rng = np.random.RandomState(1)
n_users, n_prompts, n_responses = 60, 10, 64
user, prompt, response = (index.ravel() for index in np.indices((n_users, n_prompts, n_responses)))
vectors = rng.standard_normal((len(user), 8))
items = pd.DataFrame(vectors, columns=[f"x{j}" for j in range(8)]).assign(user=user)
utility = np.einsum("nd,nd->n", vectors, data.user_rewards[user])
group_of = pd.Series(data.groups, index=data.users).groupby(level=0).first()
groups = np.where(group_of[user] == pafo.majority_, "majority", "minority")
rewards = {"pooled": pooled.reward(items), "PAFO": pafo.reward(items)}

# %%
# What the choice is worth
# ------------------------
# ``best_of_n_report`` lets each model choose among the first n responses, and judges the choice by
# the user's true utility. "random" is a response without any choice, "best" is the best there is.

reports = {}
for n in (1, 2, 4, 8, 16, 32, 64):
    rows = response < n
    if n > 1:
        reports[n] = best_of_n_report(
            {name: reward[rows] for name, reward in rewards.items()},
            None,
            utility[rows],
            groups[rows],
            users=user[rows],
            prompts=prompt[rows],
        )
largest = reports[64].set_index(["group", "model"])
columns = ["utility", "regret", "win_rate", "share_of_gain", "gain_low", "gain_high"]
print(largest[columns].round(2).to_string())

# %%
# The share of the possible gain that a user gets
# -----------------------------------------------

figure, axes = plt.subplots(ncols=2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, side in zip(axes, ("majority", "minority"), strict=True):
    for name, style in {"PAFO": "-o", "pooled": "--s"}.items():
        found = [
            report.set_index(["group", "model"]).loc[(side, name)] for report in reports.values()
        ]
        middle, low, high = (
            [100 * row[f"share_of_gain{end}"] for row in found] for end in ("", "_low", "_high")
        )
        (line,) = ax.plot(list(reports), middle, style, label=name)
        ax.fill_between(list(reports), low, high, color=line.get_color(), alpha=0.2)
    ax.axhline(0, color="grey", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(reports), list(map(str, reports)))
    ax.set(title=f"{side} users", xlabel="n: responses to choose from")
axes[0].set_ylabel("share of the possible gain (%)\nbands: 95 % intervals")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

"""
Deploying: a file, a service and a watch
========================================

A fitted model becomes a file, the file becomes a service, and the service is watched for groups
that are served worse than at fit. The example does all three in one process.

The texts are made, so nothing is downloaded. The service needs ``pip install "pafo_sk[serve]"``,
and its test client ``pip install httpx``.
"""

# %%
# A model, and its file
# ---------------------
# Nothing in the file is executed when it is loaded. It holds no texts; it names the encoder.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from fastapi.testclient import TestClient

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_text_preferences
from pafo_sk.serve import create_app

data = make_text_preferences(n_users=48, n_comparisons=25, n_prompts=24, random_state=0)
prompts = data.X["prompt"].unique()
later = data.X["prompt"].isin(prompts[:8]).to_numpy()
X, y, groups = data.X[~later], data.y[~later], data.groups[~later]
fitted = PafoRewardEstimator(random_state=0).fit(X, y, groups=groups)

folder = Path(tempfile.mkdtemp(prefix="pafo_sk_"))
fitted.save(folder / "reward.pafo")
model = PafoRewardEstimator.load(folder / "reward.pafo")
same = np.array_equal(model.decision_function(X), fitted.decision_function(X))
print(f"{(folder / 'reward.pafo').stat().st_size / 1000:.0f} kB, same margins: {same}")

# %%
# A service
# ---------
# ``python -m pafo_sk.serve reward.pafo`` starts it on a port of its own. Here a test client asks
# the same application. A newcomer gets the common ranking, sends eight choices, and gets their own.

prompt = prompts[0]
asked = data.X[data.X["prompt"] == prompt]
responses = [*asked["response_a"].head(2), *asked["response_b"].head(2)]
items = [{"user": "newcomer", "prompt": prompt, "response": text} for text in responses]
rare = np.flatnonzero(groups != fitted.majority_)[:8]
columns = ["prompt", "response_a", "response_b"]
choices = [
    {**X.iloc[row][columns].to_dict(), "user": "newcomer", "winner": "ab"[y[row]], "key": str(row)}
    for row in rare
]
with TestClient(create_app(model, folder / "enrolled.sqlite", token="secret")) as client:
    print("without the token:", client.get("/card").status_code)
    client.headers["Authorization"] = "Bearer secret"
    print("ranks for a stranger:", client.post("/rank", json={"items": items}).json()["ranks"])
    print("enrolled:", client.post("/enroll", json={"comparisons": choices}).json())
    print("sent again:", client.post("/enroll", json={"comparisons": choices}).json())
    print("ranks afterwards:", client.post("/rank", json={"items": items}).json()["ranks"])

# %%
# A watch
# -------
# ``monitor`` compares new comparisons with the report of `fit`, before they are enrolled. Here the
# prompts are new, and then the people change their minds.

usual = fitted.monitor(data.X[later], data.y[later], data.groups[later])
print("new prompts:", usual.verdict)
changed = np.where(data.groups[later] == fitted.majority_, data.y[later], 1 - data.y[later])
drifted = fitted.monitor(data.X[later], changed, data.groups[later])
print("the minority changed its mind:", drifted.verdict)

# %%
# Accuracy of every group at fit, and afterwards with 95 % intervals
# ------------------------------------------------------------------

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for shift, (name, report, marker) in zip(
    (0.15, -0.15),
    (("new prompts", usual, "s"), ("the minority changed its mind", drifted, "^")),
    strict=True,
):
    table = 100 * report.groups[["accuracy", "low", "high", "at_fit"]]
    place = np.arange(len(table)) - shift
    bars = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
    ax.errorbar(table["accuracy"], place, xerr=bars, fmt=marker, capsize=3, label=name)
ax.plot(table["at_fit"], range(len(table)), "ko", markerfacecolor="white", label="at fit")
ax.set_yticks(range(len(table)), table.index)
ax.margins(y=0.3)
ax.invert_yaxis()
ax.set(xlabel="accuracy (%)")
figure.legend(loc="outside upper right", ncols=3)
plt.show()

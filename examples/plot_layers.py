"""
Which layers of the encoder?
============================

The last layer of a sentence encoder is trained to tell what a text is about. The layers in the
middle still hold how it is written, and preferences are often about that. The default,
``layers="auto"``, takes the layer in the middle and the last one. This example compares it with
other choices.

The responses are real ones, written for readers of four domains (Domain-Specific Preference data,
CC BY-NC 4.0), if the environment variable ``PAFO_SK_DATA`` names a folder with ``dsp``; otherwise
they are made. The users are simulated in both cases.
"""

# %%
# Comparisons
# -----------
# Few queries, because an encoder reads some tens of texts a second on two cores. A third of the
# queries is kept for the test.

import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import load_dsp, make_text_preferences

folder = Path(os.environ.get("PAFO_SK_DATA", ""), "dsp")
if folder.exists():
    data = load_dsp(folder, queries=range(30), n_comparisons=40, noise=0.1, random_state=0)
    print("Real responses for four domains")
else:
    data = make_text_preferences(n_users=60, n_comparisons=25, n_prompts=24, random_state=0)
    print("Made responses in formal and casual tones")
prompts = pd.unique(data.X["prompt"])
test = data.X["prompt"].isin(prompts[: len(prompts) // 3]).to_numpy()
X, y, groups = data.X[~test], data.y[~test], data.groups[~test]
X_test, y_test, groups_test = data.X[test], data.y[test], data.groups[test]
print(f"{len(X)} comparisons to train, {len(X_test)} to test, on {len(prompts)} queries in all")

# %%
# Four choices
# ------------
# Numbers name layers, and fractions name them by depth, so that 0.5 is the middle. One pass through
# the encoder gives all of them, so they cost width, not encoding. Texts longer than 128 tokens are
# cut here, to save time. The library warns of that, and the example silences the warning.

warnings.filterwarnings("ignore", message=".* longer than the encoder's window")
rows = []
for layers in ["last", (0.5,), "auto", (0, 0.5, -1)]:
    model = PafoRewardEstimator(
        encode_params={"layers": layers, "max_length": 128}, n_prototypes=1, random_state=0
    )
    model.fit(X, y, groups=groups)
    right = model.predict(X_test) == y_test
    of_majority = groups_test == model.majority_
    rows.append(
        {
            "layers": str(layers),
            "columns": model.encoder_info_["dimension"],
            "majority": right[of_majority].mean(),
            "minority": right[~of_majority].mean(),
        }
    )
table = pd.DataFrame(rows).set_index("layers")
print((100 * table[["majority", "minority"]]).round(1).join(table["columns"]).to_string())

# %%
# So few queries give noisy numbers: differences of a few points may be chance. The page on layers
# has the same comparison on whole data sets.

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
place = np.arange(len(table))
for side, marker, shift in (("majority", "o", -0.1), ("minority", "^", 0.1)):
    ax.plot(100 * table[side], place + shift, marker, markersize=9, label=f"{side} users")
ax.set_yticks(place, [f"{name} ({n} columns)" for name, n in table["columns"].items()])
ax.invert_yaxis()
ax.set(xlabel="accuracy on other queries (%)", ylabel="layers")
ax.grid(axis="x", alpha=0.4)
figure.legend(loc="outside upper right", ncols=2)
plt.show()

"""
Personal rewards from ratings
=============================

People give stars to responses. One person's three stars are another's five, so only the ratings of
one person are compared with each other. The example goes from a table of stars to one reward for
each person and response, and shows for which responses two people differ.

The texts and the stars are made, so nothing is downloaded. The encoder is the one of the
``offline`` extra.
"""

# %%
# A table of stars
# ----------------
# Three people in four like formal answers, the others casual ones, and everybody likes answers that
# are elaborated. Everybody uses the scale in their own way: some give few stars, some give many.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import from_ratings, make_text_preferences

rng = np.random.RandomState(0)
texts = make_text_preferences(n_users=60, n_comparisons=10, n_prompts=16, random_state=0).frame
sides = [
    pd.DataFrame(
        {
            "prompt": texts["prompt"],
            "response": np.where(texts["y_clean"] == won, texts["response_b"], texts["response_a"]),
            "style": style,
        }
    )
    for won, style in ((1, texts["winner_style"]), (0, texts["loser_style"]))
]
responses = pd.concat(sides).drop_duplicates("response", ignore_index=True)

ratings = pd.DataFrame({"user": np.repeat([f"person {k}" for k in range(40)], 40)})
ratings["taste"] = np.where(ratings["user"].factorize()[0] % 4 == 3, "casual", "formal")
shown = responses.iloc[rng.randint(len(responses), size=len(ratings))]
ratings = pd.concat([ratings, shown.reset_index(drop=True)], axis=1)
ratings = ratings.drop_duplicates(["user", "response"], ignore_index=True)
liked = [taste in style for taste, style in zip(ratings["taste"], ratings["style"], strict=True)]
mood = rng.uniform(-1, 1, size=40)[ratings["user"].factorize()[0]]
stars = 2 + 1.5 * np.array(liked) + ratings["style"].str.contains("elaborated") + mood
ratings["score"] = (stars + rng.normal(scale=0.5, size=len(ratings))).round().clip(1, 5)
print(ratings[["user", "response", "score"]].head(4).to_string(max_colwidth=60))

# %%
# Comparisons within each person
# ------------------------------
# ``from_ratings`` compares two responses that one person gave to the same prompt; ties are left
# out. Three prompts in ten of every person are set aside for the test.

data = from_ratings(ratings, group="taste", test_size=0.3, random_state=0)
train = (data.frame["split"] == "train").to_numpy()
print(f"{train.sum()} comparisons to train, {(~train).sum()} to test")

# %%
# One model, and its rewards
# --------------------------
# The taste is passed to ``fit`` only; ``reward`` reads what a person rated before.

model = PafoRewardEstimator(random_state=0)
model.fit(data.X[train], data.y[train], groups=data.groups[train])
right = model.predict(data.X[~train]) == data.y[~train]
for taste, of_taste in pd.Series(right).groupby(data.groups[~train]):
    print(f"accuracy for people who like {taste} answers: {100 * of_taste.mean():.1f} %")

# %%
# Every response to one prompt, for a person of either taste. Rewards are standardised, because only
# their order within a person has a meaning.

prompt = responses["prompt"].iloc[0]
items = responses[responses["prompt"] == prompt].sort_values("style")
figure, ax = plt.subplots(figsize=(7, 0.4 * len(items) + 1.5), layout="constrained")
for user, marker in {"person 0": "o", "person 3": "^"}.items():
    taste = ratings.loc[ratings["user"] == user, "taste"].iloc[0]
    reward = model.reward(items.assign(user=user), standardize="user")
    label = f"{user}, who likes {taste} answers"
    ax.plot(reward, range(len(items)), marker, markersize=8, label=label)
rows = zip(items["style"], items["response"], strict=True)
ax.set_yticks(range(len(items)), [f"{style}: {text[:28]}..." for style, text in rows])
ax.axvline(0, color="grey", linewidth=0.8)
ax.set(xlabel="reward (standard deviations)", title=prompt)
figure.legend(loc="outside upper right", ncols=2)
plt.show()

"""
Real people, real disagreement: two public consultations
========================================================

In a Polis consultation, people agree or disagree with each other's statements. A comparison is a
statement that a person agreed with against one that they disagreed with. Three votes in ten of
every person are set aside for the test; groups are found from the other votes alone, by k-means, as
Polis does. So no vote is in both parts, and the groups know nothing of the test.

Run ``python examples/plot_polis.py FOLDER [--output FOLDER]``, where FOLDER holds one folder for
each consultation.

Data was gathered using the Polis software (see: compdemocracy.org/polis and
github.com/compdemocracy/polis) and is sub-licensed under CC BY 4.0 with Attribution to The
Computational Democracy Project.
"""

# %%
# Data, five models and the plot, for both consultations
# ------------------------------------------------------

from _compare import compare, parse_arguments, report

from pafo_sk.datasets import load_polis

arguments = parse_arguments(
    "PAFO and its rivals on two Polis consultations.",
    "polis",
    "To get the data (CC BY 4.0):\n"
    "  git clone https://github.com/compdemocracy/openData\n"
    "  mkdir -p data/polis\n"
    "  cp -r openData/scoop-hivemind.taxes data/polis/taxes\n"
    "  cp -r openData/ssis.land-bank-farmland.* data/polis/land-bank\n"
    "Then run: python examples/plot_polis.py data/polis",
)

for name in ("taxes", "land-bank"):
    data = load_polis(arguments.path / name, test_size=0.3, random_state=arguments.random_state)
    train = (data.frame["split"] == "train").to_numpy()
    test = ~train
    sizes = data.frame[train].groupby("group")["user"].nunique().to_dict()
    print(f"{name}: {train.sum()} comparisons to train, {test.sum()} to test, users {sizes}")
    table, pafo = compare(
        data.X[train], data.y[train], data.groups[train],
        data.X[test], data.y[test], data.groups[test],
        arguments.random_state,
    )  # fmt: skip
    report(f"Polis, {name}, new votes", table, pafo, f"polis-{name}", arguments.output)

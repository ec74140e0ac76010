"""Compare five models on real data: one table, one plot, one saved model."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from pafo_sk import PafoRewardEstimator

STRATEGIES = {"pooled": "pooled", "balanced": "balanced", "group-DRO": "group_dro", "PAFO": "pafo"}


def parse_arguments(description, subfolder, how_to_get):
    """Read the command line of an example; exit if the folder of its data does not exist."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "path", nargs="?", help=f"folder of the data; default: $PAFO_SK_DATA/{subfolder}"
    )
    parser.add_argument(
        "--output", help="folder for the model and the plot; default: a temporary one"
    )
    parser.add_argument("--random-state", type=int, default=0)
    arguments = parser.parse_args()
    home = os.environ.get("PAFO_SK_DATA")
    if arguments.path is None and home is not None:
        arguments.path = Path(home, subfolder)
    if arguments.path is None or not Path(arguments.path).exists():
        where = "No data folder was given" if arguments.path is None else f"No {arguments.path}"
        print(f"{where}, so there is nothing to train on.\n{how_to_get}")
        sys.exit(0)
    arguments.path = Path(arguments.path)
    arguments.output = Path(arguments.output or tempfile.mkdtemp(prefix="pafo_sk_"))
    arguments.output.mkdir(parents=True, exist_ok=True)
    return arguments


def compare(X, y, groups, X_test, y_test, groups_test, random_state=0):
    """Train every model on the same rows, and measure it on the test rows.

    There is one specialist for each group: a pooled model, trained on the rows of that group alone.
    The specialist of its true group predicts every test row. That needs the label of every user,
    which PAFO does not. (The specialists inside PAFO are also shrunk towards the pooled model.)

    Returns
    -------
    table : DataFrame
        One row for each model; see `summarise`.
    pafo : PafoRewardEstimator
    """
    right, seconds = {}, {}
    for name, strategy in STRATEGIES.items():
        start = time.perf_counter()
        model = PafoRewardEstimator(strategy=strategy, random_state=random_state)
        model.fit(X, y, groups=groups)
        seconds[name] = time.perf_counter() - start
        right[name] = model.predict(X_test) == y_test

    start = time.perf_counter()
    right["specialists*"] = np.empty(len(y_test), dtype=bool)
    for group in np.unique(groups):
        rows, rows_test = groups == group, groups_test == group
        specialist = PafoRewardEstimator(strategy="pooled", random_state=random_state)
        winner = specialist.fit(X[rows], y[rows]).predict(X_test[rows_test])
        right["specialists*"][rows_test] = winner == y_test[rows_test]
    seconds["specialists*"] = time.perf_counter() - start

    names = ["pooled", "balanced", "group-DRO", "specialists*", "PAFO"]
    rows = {
        name: summarise(right[name], X_test["user"].to_numpy(), groups_test, model.majority_)
        for name in names
    }
    return pd.DataFrame(rows).T.assign(seconds=pd.Series(seconds)), model


def summarise(right, users, groups, majority):
    """Return accuracies of majority, minority and worst tenth; users count equally."""
    frame = pd.DataFrame({"right": right, "user": users, "majority": groups == majority})
    by_user = frame.groupby("user").mean()
    is_majority = by_user["majority"] > 0.5
    worst = by_user["right"].nsmallest(-(-len(by_user) // 10))
    return {
        "majority": by_user["right"][is_majority].mean(),
        "minority": by_user["right"][~is_majority].mean(),
        "worst tenth": worst.mean(),
    }


def report(title, table, model, name, output):
    """Print the table, save the model, and draw the plot if matplotlib is installed."""
    columns = {"majority": 3, "minority": 3, "worst tenth": 3, "seconds": 0}
    print(f"\n{title}\n{table.round(columns).to_string()}")
    print("* given the true group of every test user; pooled's seconds include encoding the texts")
    print(f"PAFO: {model.pareto_status_}")
    file = output / f"{name}.joblib"
    joblib.dump(model, file)
    print(f"Saved {file} ({file.stat().st_size / 1000:.0f} kB)")
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print('No plot: pip install "pafo_sk[plot]" brings matplotlib.')
        return
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    axes.scatter(table["majority"], table["minority"])
    for label, row in table.iterrows():
        axes.annotate(
            label, (row["majority"], row["minority"]), xytext=(5, 5), textcoords="offset points"
        )
    axes.margins(0.25, 0.15)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    pooled = table.loc["pooled"]
    axes.fill_between([pooled["majority"], right], pooled["minority"], top, alpha=0.15)
    axes.set(xlim=(left, right), ylim=(bottom, top), title=title)
    axes.set(xlabel="accuracy, majority users", ylabel="accuracy, minority users")
    picture = output / f"{name}.png"
    figure.savefig(picture)
    plt.close(figure)
    print(f"Drew {picture}; shaded: better than pooled for both")

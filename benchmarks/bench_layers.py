"""Which layers of a frozen encoder serve a reward: the pooled model and PAFO, set by set.

    python benchmarks/bench_layers.py --sets dsp4 ukp --seeds 3 --cache folder

Every layer is encoded once and kept in the folder. Accuracies are of the benchmark's test rows,
users counting equally. Writes layers-<encoder>.json and a plot over depth into the folder
benchmark-results (--results and --committed choose others).
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _data import SOURCES, Case, data_home, texts_of
from _library import encode_texts, load_encoder, n_layers
from _measures import by_user
from _output import add_output, write_json

from pafo_sk import EmbeddingStore, PafoRewardEstimator

STRATEGIES = ("pooled", "pafo")
COLOURS = {"majority": "#0072B2", "minority": "#D55E00"}


def choices(last: int, single: bool) -> list[str | tuple[int, ...]]:
    """List what is compared: the sentence vector, single layers, the default, and wider ones."""
    middle = round(last / 2)
    wider: list[str | tuple[int, ...]] = ["auto", (0, middle, last), (middle, middle + 1, last)]
    wider.append((round(last / 3), round(2 * last / 3), last))
    # all layers of a deep encoder are thousands of columns
    wider += [tuple(range(last + 1))] if last <= 6 else []
    return ["last", *([(layer,) for layer in range(last)] if single else []), *wider]


def fitted(
    case: Case, seed: int, strategy: str, layers: str | tuple[int, ...], encoder: str, cache: Any
) -> dict[str, Any]:
    """Fit one model and judge it on the test rows."""
    model = PafoRewardEstimator(
        encoder=encoder,
        encode_params={"layers": layers},
        cache=cache,
        strategy=strategy,
        random_state=seed,
    )
    train, test = case.train, case.test
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(train.X, train.y, groups=train.groups)
    seconds = time.perf_counter() - start
    margin = model.decision_function(test.X)
    found = by_user(margin, test.y, test.users.astype(str), test.groups, case.majority)
    return {
        "majority": float(found.accuracy[found.in_majority].mean()),
        "minority": float(found.accuracy[~found.in_majority].mean()),
        "columns": int(model.encoder_info_["dimension"]),
        "seconds": round(seconds, 2),
    }


def draw(rows: pd.DataFrame, last: int, file: Path) -> None:
    """Draw accuracy over depth for the pooled model, one panel a set; the default is a line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    pooled = rows[rows["strategy"] == "pooled"]
    sets = list(dict.fromkeys(pooled["set"]))
    figure, axes = plt.subplots(
        1, len(sets), figsize=(3.6 * len(sets), 3.4), squeeze=False, layout="constrained"
    )
    for ax, name in zip(axes.flat, sets, strict=True):
        means = pooled[pooled["set"] == name].groupby("layers")[["majority", "minority"]].mean()
        single = [str((layer,)) for layer in range(last)]
        depth = [layer for layer, key in enumerate(single) if key in means.index]
        for side, colour in COLOURS.items():
            values = 100 * means[side]
            curve = [*values[[single[layer] for layer in depth]], values["last"]]
            ax.plot([*depth, last], curve, marker="o", color=colour, label=side)
            ax.axhline(values["auto"], color=colour, linestyle="--", label=f"{side}, default")
        ax.set_title(SOURCES[name].title)
        ax.set_xticks(range(0, last + 1, max(1, last // 6)))
        ax.set_xlabel("layer (the last is the sentence vector)")
    axes[0, 0].set_ylabel("accuracy of the pooled model (%)")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2 * min(2, len(sets)))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, print, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home")
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--sets", nargs="+", choices=SOURCES, default=["dsp4", "ukp"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", default="layer-vectors", help="folder for the vectors")
    add_output(parser)
    given = parser.parse_args()
    cache = EmbeddingStore(given.cache, max_bytes=2**35)
    name = Path(given.encoder).name
    last = n_layers(load_encoder(given.encoder))
    rows = []
    for set_name in given.sets:
        source = SOURCES[set_name]
        folder = data_home(given.data_home) / source.folder if source.folder else Path()
        for seed in range(given.seeds):
            case = source.make(folder, seed)
            every = {"layers": tuple(range(last + 1))}
            texts = texts_of(case, given.encoder)
            encode_texts(texts, given.encoder, encode_params=every, cache=cache, verbose=1)
            for strategy in STRATEGIES:
                for layers in choices(last, single=strategy == "pooled"):
                    row = {"set": set_name, "seed": seed, "strategy": strategy}
                    row["layers"] = str(layers)
                    row |= fitted(case, seed, strategy, layers, given.encoder, cache)
                    rows.append(row)
                    print(row, flush=True)
    write_json(given.results, f"layers-{name}", rows)
    table = pd.DataFrame(rows)
    draw(table, last, given.results / f"layers-{name}.png")
    keys = ["strategy", "layers", "set"]
    means = 100 * table.groupby(keys, sort=False)[["majority", "minority"]].mean()
    print(means.unstack().round(1).to_string(), np.unique(table["columns"]).tolist())


if __name__ == "__main__":
    main()

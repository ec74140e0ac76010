"""Fairness benchmark: all methods on all data sets, resumable. See README.md beside it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _data import SOURCES
from _methods import ABLATIONS, EARLY, METHODS
from _report import write_report
from _runs import Store, run

HERE = Path(__file__).parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-home", help="folder of the data; default: $PAFO_SK_DATA")
    parser.add_argument("--sets", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--early", action="store_true", help=f"only {', '.join(EARLY)}")
    parser.add_argument("--ablation", action="store_true", help="variants of PAFO instead")
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "pafo_sk_bench",
        help="folder for the texts' vectors",
    )
    parser.add_argument("--redo", action="store_true", help="forget these methods' results first")
    parser.add_argument("--report", action="store_true", help="only rebuild tables and plot")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    store = Store(given.results)
    if not given.report:
        methods = {name: METHODS[name] for name in (EARLY if given.early else given.methods)}
        if given.ablation:
            methods = {"pooled": METHODS["pooled"], "pafo": METHODS["pafo"], **ABLATIONS}
        if given.redo:
            for name in given.sets:
                store.drop(name, list(methods))
        run(given.sets, methods, range(given.seeds), store, given.data_home, given.cache)
    written = write_report(store)
    print(*written, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()

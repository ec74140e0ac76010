"""Fairness benchmark: all methods on all data sets, resumable. See README.md beside it.

    python benchmarks/bench_fairness.py --sets taxes --methods pooled pafo --seeds 2 --check

Results go into the folder benchmark-results, unless --results or --committed names another.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from _check import check
from _data import SOURCES
from _methods import ABLATIONS, EARLY, METHODS
from _output import COMMITTED, add_output
from _report import write_report
from _runs import Store, run


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-home", help="folder of the data; default: $PAFO_SK_DATA")
    parser.add_argument("--sets", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--early", action="store_true", help=f"only {', '.join(EARLY)}")
    parser.add_argument("--ablation", action="store_true", help="variants of PAFO instead")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    add_output(parser)
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "pafo_sk_bench",
        help="folder for the vectors of the texts",
    )
    parser.add_argument(
        "--redo", action="store_true", help="first delete the results of these sets, methods, seeds"
    )
    parser.add_argument("--report", action="store_true", help="only rebuild tables and plot")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with the results in the repository; fails if an answer differs",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run what is missing, write the report, and return the exit status."""
    given = arguments(argv)
    # The ablation has tables of its own in the repository, beside those of all methods.
    committed = COMMITTED / "ablation" if given.ablation else COMMITTED
    store = Store(committed if given.results == COMMITTED else given.results)
    asked = {name: METHODS[name] for name in (EARLY if given.early else given.methods)}
    if given.ablation:
        asked = {"pafo": METHODS["pafo"], **ABLATIONS}
    methods = {"pooled": METHODS["pooled"], **asked}  # the report compares all others with it
    seeds = range(given.seeds)
    if not given.report:
        if given.redo:
            for name in given.sets:
                store.drop(name, asked, seeds)
        run(given.sets, methods, seeds, store, given.data_home, given.cache)
    print(*write_report(store), sep="\n", file=sys.stderr)
    if not given.check:
        return 0
    lines, same = check(store, Store(committed), given.sets, methods, seeds)
    print(*lines, sep="\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

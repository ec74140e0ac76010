"""The reference holds every public name, and every docstring says what goes in and comes out."""

import inspect
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from public_names import own_members, public_names

from pafo_sk import PafoRewardEstimator

REFERENCE = Path(__file__).parents[2] / "docs" / "api.rst"
NAMES = sorted(public_names())
# GL08: no docstring; PR01, PR02: parameters that are not documented, or do not exist; RT01, YD01:
# returns, yields; GL06, GL07: unknown sections, or in another order.
CHECKS = {"GL06", "GL07", "GL08", "PR01", "PR02", "RT01", "YD01"}
# A report is made by `fairness_report`, and a student by `fit`: their attributes are documented.
NOT_CALLED = {"pafo_sk.metrics.FairnessReport", "pafo_sk.HistoryModel"}


def test_the_reference_lists_every_public_name():
    listed, module = [], None
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"   (\w+)$", line):
            listed.append(f"{module}.{found[1]}")
    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_say_what_goes_in_and_comes_out(name):
    members = own_members(name) if inspect.isclass(public_names()[name]) else []
    found = {one: validate(one) for one in (name, *(f"{name}.{member}" for member in members))}
    problems = [
        f"{one}: {code} {message}"
        for one, result in found.items()
        for code, message in result["errors"]
        if code in CHECKS and not (code == "PR01" and one in NOT_CALLED)
    ]
    assert not problems, "\n".join(problems)
    assert re.search(r"^ *>>> ", found[name]["docstring"], re.MULTILINE), f"{name} has no example"


def test_fitted_attributes_are_documented(quick, data):
    model = quick().fit(data.X, data.y, groups=data.groups)
    fitted = {name for name in vars(model) if re.fullmatch(r"[a-z]\w*_", name)}
    documented = " ".join(one.name for one in ClassDoc(PafoRewardEstimator)["Attributes"])
    # these are read by our own methods
    assert fitted - {"reader_", "model_", "lock_", "reward_scale_"} <= set(
        re.findall(r"\w+", documented)
    )

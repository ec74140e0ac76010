"""Tables in Markdown."""

import pandas as pd

from pafo_sk._blocks import escaped, markdown_table


def test_tables():
    table = pd.DataFrame({"a": ["x|y", 3], "b": ["*", "line\nbreak"]})
    expected = ["| a | b |", "| --- | --- |", r"| x\|y | \* |", "| 3 | line break |"]
    assert markdown_table(table) == expected


def test_special_characters():
    assert escaped(r"[a]\<b>`c`") == r"\[a\]\\\<b\>\`c\`"

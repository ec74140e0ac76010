"""Comparisons in Parquet files, over items that stay on disk."""

import os
from numbers import Real
from typing import Any

import pandas as pd
from sklearn.utils import Bunch

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._sklearn_compat import StrOptions, validate_params
from pafo_sk.datasets._item_files import open_items
from pafo_sk.datasets._parquet_columns import ItemColumn, LabelColumn, WinnerColumn
from pafo_sk.datasets._parquet_files import ParquetFiles

_DESCR = """\
Comparisons in Parquet files

Source and licence: those of the files.
Rows: those of the files, in the order of their names; y is 1 where the second of the labels in
target_names won.
"""


@validate_params(
    {
        "path": [str, os.PathLike],
        "items": "no_validation",
        "item_a": [str],
        "item_b": [str],
        "label": [str, None],
        "pos_label": [str, Real, "boolean", None],
        "user": [str, None],
        "prompt": [str, None],
        "group": [str, None],
        "item_id": "no_validation",
        "embedding": [str],
        "items_file": [str, os.PathLike, None],
        "dtype": [StrOptions({"float16", "float32"})],
    },
    prefer_skip_nested_validation=True,
)
def load_parquet(
    path: str | os.PathLike[str],
    items: Any,
    *,
    item_a: str = "item_a",
    item_b: str = "item_b",
    label: str | None = "y",
    pos_label: Any = None,
    user: str | None = None,
    prompt: str | None = None,
    group: str | None = None,
    item_id: Any = None,
    embedding: str = "embedding",
    items_file: str | os.PathLike[str] | None = None,
    dtype: str = "float16",
) -> Bunch:
    """Load comparisons from Parquet files, over a table of items that stays on disk.

    This serves for more comparisons, or more vectors, than fit in memory: a part of a row group is
    read at a time, labels become small integers at once, and vectors are mapped, not read. A
    comparison takes about 20 bytes.

    Parameters
    ----------
    path : str or path-like
        A Parquet file of comparisons, or a folder of them. Files are in the natural order of their
        names (``part-2`` before ``part-10``), and folders ``name=value`` are columns, as in Hive.
    items : str, path-like or array of shape (n_items, n_features)
        Vectors of the items: a file ``.npy``, which is mapped; an array, which may be mapped; or a
        Parquet file (or a folder of them) with a column of vectors, such as
        `pafo_sk.distributed.encode` writes. A memory map is made from Parquet once, and used again
        as long as the files do not change.
    item_a, item_b : str, default="item_a" and "item_b"
        Columns of the compared items: rows of `items` counted from zero, or names in `item_id`.
    label : str or None, default="y"
        Column of the winner, with two labels. None: there is none.
    pos_label : str, number, bool or None, default=None
        The label that means that `item_b` won. None: the one that says so (1 beside 0, "b",
        "right", ...); else the larger of two labels, with a warning.
    user, prompt, group : str or None, default=None
        Columns of the user, the prompt and the preference group. None: there is none.
    item_id : str, array-like of shape (n_items,) or None, default=None
        Names of the items: their column in the Parquet files of `items`, or all of them in the
        order of the rows. None: `item_a` and `item_b` are row numbers.
    embedding : str, default="embedding"
        Column of the vectors, if `items` is Parquet.
    items_file : str, path-like or None, default=None
        File ``.npy`` for the memory map of Parquet items. None: beside them, with their name.
    dtype : {"float16", "float32"}, default="float16"
        Type of the numbers in the memory map. float16 takes half the space, with a relative error
        of at most 0.0005.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of the files.

        X : ComparisonTable
            The comparisons, with users, prompts and groups if there are any.
        y : ndarray of int8, or None
            0: `item_a` won; 1: `item_b` won.
        groups, users : Series of categories, or None
            Group label and user of each row.
        target_names : list
            The labels that mean that `item_a` won, and that `item_b` won, which is 1 in `y`.
        frame : None
            The rows may not fit in memory as one frame.
        DESCR : str
            How the rows were made.

    Raises
    ------
    ImportError
        Without pyarrow: ``pip install "pafo_sk[parquet]"``.
    FileNotFoundError, FileExistsError
        If a file does not exist; if `items_file` exists and this function did not make it.
    TypeError, ValueError
        If a file cannot be read, or a column is missing or has wrong values. Messages name the
        file, and count rows from the first file on.

    See Also
    --------
    pafo_sk.distributed.encode : Writes the vectors of many texts to Parquet files.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import pandas as pd
    >>> from pafo_sk.datasets import load_parquet
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> np.save(folder / "items.npy", np.eye(3, dtype=np.float16))
    >>> pd.DataFrame(
    ...     {"item_a": [0, 1], "item_b": [2, 0], "y": ["b", "a"], "who": ["ann", "bob"]}
    ... ).to_parquet(folder / "comparisons.parquet")
    >>> data = load_parquet(folder / "comparisons.parquet", folder / "items.npy", user="who")
    >>> data.X
    ComparisonTable(2 comparisons of 3 items, 3 features in float16, 2 users)
    >>> data.y, data.target_names
    (array([1, 0], dtype=int8), ['a', 'b'])
    """
    comparisons = ParquetFiles(path, "path")
    given = {"label": label, "user": user, "prompt": prompt, "group": group}
    roles = {"item_a": item_a, "item_b": item_b}
    roles |= {role: name for role, name in given.items() if name is not None}
    comparisons.require(roles.items())
    vectors, names = open_items(
        items, item_id=item_id, embedding=embedding, items_file=items_file, dtype=dtype
    )

    n_rows, n_items = comparisons.n_rows, len(vectors)
    is_path = isinstance(items, (str, os.PathLike))
    source = f"items={os.fspath(items)!r}" if is_path else "the array of items"
    a, b = (ItemColumn(n_rows, name, source, n_items, names) for name in (item_a, item_b))
    winner = None if label is None else WinnerColumn(n_rows, label, pos_label)
    labels = {r: LabelColumn(n_rows, roles[r]) for r in ("user", "prompt", "group") if r in roles}
    readers: list[ItemColumn | LabelColumn] = [a, b, *labels.values()]
    if winner is not None:
        readers.append(winner)
    for part in comparisons.parts(dict.fromkeys(roles.values())):
        for reader in readers:
            reader.put(part)

    y, target_names = (None, None) if winner is None else winner.winners()
    by_role = {f"{role}s": column.categorical() for role, column in labels.items()}
    X = ComparisonTable(vectors, a.rows, b.rows, **by_role)
    return Bunch(
        X=X,
        y=y,
        groups=None if X.groups is None else pd.Series(X.groups.categorical()),
        users=None if X.users is None else pd.Series(X.users.categorical()),
        target_names=target_names,
        frame=None,
        DESCR=_DESCR,
    )

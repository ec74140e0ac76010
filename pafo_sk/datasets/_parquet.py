"""Comparisons in Parquet files, over items that stay on disk."""

import os

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk.datasets._item_files import open_items
from pafo_sk.datasets._parquet_files import ItemColumn, LabelColumn, ParquetFiles, WinnerColumn

_DESCR = """\
Comparisons in Parquet files

Source and licence: those of the files.
Rows: those of the files, in the order of their names; y is 1 where the second of the labels in
target_names won, in the order of sorting.
"""


@validate_params(
    {
        "path": [str, os.PathLike],
        "items": "no_validation",
        "item_a": [str],
        "item_b": [str],
        "label": [str, None],
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
    path,
    items,
    *,
    item_a="item_a",
    item_b="item_b",
    label="y",
    user=None,
    prompt=None,
    group=None,
    item_id=None,
    embedding="embedding",
    items_file=None,
    dtype="float16",
):
    """Load comparisons from Parquet files, over a table of items that stays on disk.

    For more comparisons, or more vectors, than fit in memory: files are read a part of a row group
    at a time, labels become small integers at once, and vectors are mapped, not read. A comparison
    takes some 20 bytes.

    Parameters
    ----------
    path : str or path-like
        A Parquet file of comparisons, or a folder of them.
    items : str, path-like or array of shape (n_items, n_features)
        Vectors of the items: a file ``.npy``, which is mapped; an array, also one that is mapped;
        or a Parquet file or a folder of them with a column of vectors, such as
        `pafo_sk.distributed.encode` writes. Of Parquet a memory map is made once, and used again
        as long as the files stay as they are.
    item_a, item_b : str, default="item_a" and "item_b"
        Columns of the compared items: rows of `items` counted from zero, or names in `item_id`.
    label : str or None, default="y"
        Column of the winner, two labels. None: there is none.
    user, prompt, group : str or None, default=None
        Columns of the user, the prompt and the preference group. None: there is none.
    item_id : str, array-like of shape (n_items,) or None, default=None
        Names of the items: their column in the Parquet files of `items`, or all of them in the
        order of the rows. None: `item_a` and `item_b` are row numbers.
    embedding : str, default="embedding"
        Column of the vectors, where `items` is Parquet.
    items_file : str, path-like or None, default=None
        File ``.npy`` for the memory map of Parquet items. None: beside them, under their name.
    dtype : {"float16", "float32"}, default="float16"
        In which it is written; float16 takes half the room, with a relative error of at most
        0.0005.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of the files.

        X : ComparisonTable
            The comparisons, with users, prompts and groups where there are any.
        y : ndarray of int8, or None
            0: `item_a` won; 1: `item_b` won.
        groups, users : Series of categories, or None
            Group label and user of each row.
        target_names : list
            The two labels of the winner; the second is 1 in `y`.
        frame : None
        DESCR : str
            How the rows were made.

    Raises
    ------
    ImportError
        Without pyarrow: ``pip install "pafo_sk[parquet]"``.
    FileNotFoundError, FileExistsError
        If there are no such files; if `items_file` is there and was not made by this function.
    TypeError, ValueError
        If a column is missing, or holds what it cannot, naming the first rows, which are counted
        from the first of the first file.

    See Also
    --------
    pafo_sk.distributed.encode : writes the vectors of many texts to Parquet files.

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
    roles = {"item_a": item_a, "item_b": item_b, "label": label, "user": user, "prompt": prompt}
    roles = {role: name for role, name in {**roles, "group": group}.items() if name is not None}
    comparisons.require(roles.items())
    if comparisons.n_rows == 0:
        raise ValueError(f"path={os.fspath(path)!r} has no rows.")
    vectors, names = open_items(
        items, item_id=item_id, embedding=embedding, items_file=items_file, dtype=dtype
    )

    def reader(role, name):
        if role in ("item_a", "item_b"):
            return ItemColumn(comparisons.n_rows, name, len(vectors), names)
        return (WinnerColumn if role == "label" else LabelColumn)(comparisons.n_rows, name)

    readers = {role: reader(role, name) for role, name in roles.items()}
    for start, columns in comparisons.batches(dict.fromkeys(roles.values())):
        for role, name in roles.items():
            readers[role].put(start, columns[name])

    y, target_names = readers.pop("label").winners() if label is not None else (None, None)
    a, b = readers.pop("item_a").rows, readers.pop("item_b").rows
    labels = {f"{role}s": column.categorical() for role, column in readers.items()}
    X = ComparisonTable(vectors, a, b, **labels)
    return Bunch(
        X=X,
        y=y,
        groups=None if X.groups is None else pd.Series(X.groups.categorical()),
        users=None if X.users is None else pd.Series(X.users.categorical()),
        target_names=target_names,
        frame=None,
        DESCR=_DESCR,
    )

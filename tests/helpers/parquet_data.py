"""Sizes and names of the Parquet files of the tests, and two ways to write them."""

import numpy as np

N, N_ITEMS, WIDTH = 400, 50, 4
NAMES = np.array([f"item {number * 7 % N_ITEMS}" for number in range(N_ITEMS)])
COLUMNS = {"user": "who", "group": "camp", "prompt": "question"}


def in_one_file(frame, folder):
    frame.to_parquet(folder / "comparisons.parquet", row_group_size=90)
    return folder / "comparisons.parquet"


def in_a_folder(frame, folder):
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), [37, 37, 250])):
        file = folder / "comparisons" / f"year={number // 2}" / f"{number:02d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.iloc[rows].to_parquet(file, index=False)
    (folder / "comparisons" / "_common.parquet").write_bytes(b"no part of the table")
    return folder / "comparisons"


def as_categories(frame, folder):
    return in_one_file(frame.astype({"who": "category", "camp": "category"}), folder)

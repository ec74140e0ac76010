"""Where tensors live, and which devices encode: one, or several, each in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch

from pafo_sk._encoding.fingerprint import fingerprint_of, keep_fingerprint

_NAME = "encode_params['device']"
_REMEDY = (
    "Pass one device, encode_params={'device': 'cuda:0'}; or every GPU once, encode_params="
    "{'device': [f'cuda:{i}' for i in range(torch.cuda.device_count())]}."
)


def resolve_device(device: str | torch.device | None, name: str = "device") -> torch.device:
    """Return the device asked for; None is a GPU where there is one.

    Parameters
    ----------
    name : str
        What the user calls it, for error messages.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine lacks it.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"{name}={str(device)!r} is no device that torch knows. Pass None for the best one."
        ) from error
    if _is_absent(found):
        there = f"{torch.cuda.device_count()} GPUs" if found.type == "cuda" else "no such device"
        raise ValueError(
            f"{name}={str(device)!r} names a device of another machine: torch sees {there} here. "
            "A fitted model works on any device: leave 'device' out of encode_params, and use "
            "est.set_params(device=None) for the best device of this machine."
        )
    return found


def _is_absent(device: torch.device) -> bool:
    """Whether this machine lacks a device."""
    if device.type == "cuda":
        return (device.index or 0) >= torch.cuda.device_count()
    return device.type == "mps" and not torch.backends.mps.is_available()


def check_devices(device: Any) -> str | tuple[str, ...]:
    """Return the name of one device, or the names of several; a list of one is that one.

    Raises
    ------
    TypeError, ValueError
        If it is no device and no list of them, or if the list is empty, names a GPU twice, or
        mixes devices of several kinds.
    """
    if isinstance(device, str | torch.device):
        return _name(device, device)
    if not isinstance(device, list | tuple):
        raise _wrong_type(device)
    if not device:
        raise ValueError(f"{_NAME} is an empty list, so nothing would encode. {_REMEDY}")
    names = [_name(one, device) for one in device]
    if len(names) == 1:
        return names[0]
    # In a process of its own, "cuda" is the first GPU.
    names = ["cuda:0" if name == "cuda" else name for name in names]
    kinds = sorted({torch.device(name).type for name in names})
    if len(kinds) > 1:
        message = f"mixes {' and '.join(kinds)}; the slowest would set the pace"
        raise ValueError(f"{_NAME}={device!r} {message}. {_REMEDY}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice and kinds != ["cpu"]:
        message = f"has {twice[0]} more than once; its memory would hold the encoder as often"
        raise ValueError(f"{_NAME}={device!r} {message}. {_REMEDY}")
    return tuple(names)


def check_present(devices: tuple[str, ...]) -> None:
    """Raise ValueError, before anything is loaded, if this machine lacks one of several GPUs."""
    n_gpus = torch.cuda.device_count()
    for name in devices:
        if _is_absent(torch.device(name)):
            remedy = "encode_params={'device': 'cpu'}" if n_gpus == 0 else _REMEDY
            raise ValueError(
                f"{_NAME}={list(devices)} names {name}, and torch sees {n_gpus} GPUs here "
                f"(torch.cuda.device_count()). Vectors do not depend on the device: {remedy}"
            )


def _name(device: Any, whole: Any) -> str:
    if not isinstance(device, str | torch.device):
        raise _wrong_type(whole)
    try:
        return str(torch.device(device))
    except RuntimeError as error:
        message = f"{str(device)!r} is no device that torch knows"
        raise ValueError(f"{_NAME}={whole!r}: {message}. {_REMEDY}") from error


def _wrong_type(device: Any) -> TypeError:
    message = "must be the name of a device or a list of names"
    return TypeError(f"{_NAME} {message}, got {device!r}. {_REMEDY}")


@contextmanager
def narrowed(model: Any, max_length: int | None) -> Iterator[None]:
    """Set the window of a SentenceTransformer, unless None, for a while."""
    if max_length is None:
        yield
        return
    window, model.max_seq_length = model.max_seq_length, max_length
    try:
        yield
    finally:
        model.max_seq_length = window


@contextmanager
def device_pool(model: Any, params: dict[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Start sentence-transformers' pool of processes if ``params`` has several devices.

    It is stopped whatever happens, and the model is back on its device.
    """
    devices = params.get("device")
    if not isinstance(devices, tuple):
        yield None
        return
    if tuple(map(int, version("sentence-transformers").split(".")[:2])) < (6, 2):
        raise ImportError(
            f"{_NAME}={list(devices)} needs sentence-transformers 6.2 or newer, because earlier "
            "versions wait for ever for a process that has died. Run `pip install -U "
            "sentence-transformers`, or pass one device."
        )
    if multiprocessing.current_process().daemon:
        raise RuntimeError(
            f"{_NAME}={list(devices)} needs a process for each device, and this one, a daemon such "
            "as a Dask worker, may not start any. Start a worker for each GPU and pass one device: "
            "encode_params={'device': 'cuda'}."
        )
    home, fingerprint, pool = model.device, fingerprint_of(model), None
    before = set(multiprocessing.active_children())
    try:
        with narrowed(model, params.get("max_length")):  # each process gets a copy as it is now
            pool = model.start_multi_process_pool(list(devices))
        keep_fingerprint(model, fingerprint)  # its tensors have moved to shared memory
        yield pool
    finally:
        if pool is not None:
            model.stop_multi_process_pool(pool)
        for process in set(multiprocessing.active_children()) - before:
            if process.daemon:  # those of a pool that was interrupted while it started
                process.terminate()
                process.join()
        if model.device != home:
            model.to(home)
        keep_fingerprint(model, fingerprint)

"""Where tensors live, and which devices encode."""

from __future__ import annotations

from typing import Any

import torch

_NAME = "encode_params['device']"
_REMEDY = (
    "Pass one device, encode_params={'device': 'cuda:0'}; or every GPU once, encode_params="
    "{'device': [f'cuda:{i}' for i in range(torch.cuda.device_count())]}."
)


def resolve_device(device: str | torch.device | None) -> torch.device:
    """The device asked for; a GPU where there is one, if nothing is asked for."""
    if device is not None:
        return torch.device(device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_devices(device: Any) -> str | tuple[str, ...]:
    """One device of an encoder by its name, or the names of several; a list of one is that one.

    Raises
    ------
    TypeError, ValueError
        If it is no device and no list of them, or the list is empty, has a GPU twice, or devices of
        several kinds.
    """
    if isinstance(device, str | torch.device):
        return _name(device, device)
    if not isinstance(device, list | tuple):
        message = "must be the name of a device or a list of names"
        raise TypeError(f"{_NAME} {message}, got {device!r}. {_REMEDY}")
    if not device:
        raise ValueError(f"{_NAME} is an empty list: nothing would encode. {_REMEDY}")
    names = [_name(one, device) for one in device]
    if len(names) == 1:
        return names[0]
    # In its own process "cuda" is the first GPU.
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
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= n_gpus:
            remedy = "encode_params={'device': 'cpu'}" if n_gpus == 0 else _REMEDY
            raise ValueError(
                f"{_NAME}={list(devices)} names {name}, and torch sees {n_gpus} GPUs here "
                f"(torch.cuda.device_count()). Vectors do not depend on the device: {remedy}"
            )


def _name(device: Any, whole: Any) -> str:
    if not isinstance(device, str | torch.device):
        message = "must be the name of a device or a list of names"
        raise TypeError(f"{_NAME} {message}, got {whole!r}. {_REMEDY}")
    try:
        return str(torch.device(device))
    except RuntimeError as error:
        message = f"{str(device)!r} is no device that torch knows"
        raise ValueError(f"{_NAME}={whole!r}: {message}. {_REMEDY}") from error

"""Settings that alter vectors, so that a fitted model needs those of `fit`."""

from __future__ import annotations

from typing import Any

from pafo_sk._encoding.encode import vector_settings
from pafo_sk._encoding.loading import check_params
from pafo_sk._encoding.truncation import window_of


def settings_of(
    model: Any, encode_params: dict[str, Any], layers: tuple[int, ...]
) -> dict[str, Any]:
    """Return what an encoder does to texts, for ``encoder_info_``; dtypes may differ."""
    params = check_params(encode_params)
    _, max_length, normalize, prompt = vector_settings(model, params)
    return {
        "layers": layers or "last",
        "normalize_embeddings": normalize,
        "prompt": prompt,
        "window": window_of(model, params) or max_length,
    }


def check_same_settings(
    fitted: dict[str, Any], now: dict[str, Any], encode_params: dict[str, Any] | None
) -> None:
    """Raise ValueError if ``encode_params`` asks for other vectors than those of `fit`.

    Settings that a file of an earlier version lacks are not compared.
    """
    differ = [name for name in now if name in fitted and fitted[name] != now[name]]
    if not differ:
        return
    asked, had = (
        ", ".join(f"{_name(name)}={settings[name]!r}" for name in differ)
        for settings in (now, fitted)
    )
    right = {**(encode_params or {}), **{_name(name): fitted[name] for name in differ}}
    raise ValueError(
        f"encode_params asks the encoder for {asked}, and the model was fitted with {had}. Call "
        f"model.set_params(encode_params={right!r}), or fit again."
    )


def _name(setting: str) -> str:
    """The name of a setting in ``encode_params``."""
    return "max_length" if setting == "window" else setting

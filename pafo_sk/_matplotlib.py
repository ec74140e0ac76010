"""Plots need matplotlib, which is not installed with the package."""

from __future__ import annotations

from importlib import import_module


def require_matplotlib(caller: str) -> None:
    """Raise if matplotlib is not installed, before anything slow is computed."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(f'{caller} needs matplotlib: pip install "pafo_sk[plot]".') from error

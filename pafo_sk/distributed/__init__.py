"""Encoding on more than one machine, by Dask."""

from pafo_sk.distributed._encode import encode

__all__ = ["encode"]

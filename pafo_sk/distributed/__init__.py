"""Encode texts on several machines with Dask."""

from pafo_sk.distributed._encode import encode

__all__ = ["encode"]

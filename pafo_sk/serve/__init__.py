"""A small HTTP service of one fitted model: ``python -m pafo_sk.serve reward.pafo``.

It needs the extra ``serve`` (fastapi, uvicorn, prometheus-client).
"""

from pafo_sk.serve._app import create_app

__all__ = ["create_app"]

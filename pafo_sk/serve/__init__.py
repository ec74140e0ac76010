"""A small HTTP service of one fitted model: ``python -m pafo_sk.serve reward.pafo``.

It needs the extra ``serve`` (fastapi, uvicorn, prometheus-client).
"""

try:
    from pafo_sk.serve._app import create_app
except ModuleNotFoundError as error:
    if str(error.name).startswith("pafo_sk"):
        raise
    raise ImportError(f'pafo_sk.serve needs {error.name}: pip install "pafo_sk[serve]".') from error

__all__ = ["create_app"]

"""Serve a model: ``python -m pafo_sk.serve reward.pafo``."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sqlite3
import sys
import warnings

TOKEN = "PAFO_SK_TOKEN"


def main(arguments: list[str] | None = None) -> int:
    """Start the service, and return the exit status."""
    parser = argparse.ArgumentParser("python -m pafo_sk.serve", description=__doc__)
    parser.add_argument("model", help="file that `save` has written")
    parser.add_argument("--database", help="SQLite file of enrolments; default: MODEL.sqlite")
    parser.add_argument("--encoder", help="folder or name of the encoder of fit")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    token = os.environ.get(TOKEN) or None
    if token is None and not _is_loopback(given.host):
        print(
            f"--host {given.host} can be reached from other machines, so a token is needed: set "
            f"the environment variable {TOKEN}, or leave --host out.",
            file=sys.stderr,
        )
        return 2
    try:
        import uvicorn
    except ImportError:
        print('The service needs uvicorn: pip install "pafo_sk[serve]".', file=sys.stderr)
        return 1
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from pafo_sk import PafoRewardEstimator
    from pafo_sk.serve import create_app

    try:
        model = PafoRewardEstimator.load(given.model, encoder=given.encoder)
        app = create_app(model, given.database or f"{given.model}.sqlite", token=token)
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return 1
    if token is None:
        # else a page elsewhere could reach the service through a name that resolves to this machine
        hosts = ["localhost", "127.0.0.1", "[::1]", given.host]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    warnings.simplefilter("ignore")  # warnings of the library name users
    uvicorn.run(
        app,
        host=given.host,
        port=given.port,
        workers=1,  # whatever WEB_CONCURRENCY says, because one process has the database
        access_log=False,  # it would have addresses of clients; paths hold no user
        log_level="warning",
    )
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())

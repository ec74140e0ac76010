"""The application: endpoints, the token, limits and metrics."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from scipy.special import expit
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pafo_sk import __version__
from pafo_sk.serve import _requests as r
from pafo_sk.serve._batching import Batcher
from pafo_sk.serve._model import NotErased, ServedModel
from pafo_sk.serve._page import HEADERS, PAGE

# Paths that need no token, because they hold no data.
OPEN = ("/", "/health")
# Errors of one request that are listed.
MOST_ERRORS = 20


def create_app(estimator: Any, database: str | Path, *, token: str | None = None) -> FastAPI:
    """Make the application that serves a fitted model.

    Parameters
    ----------
    estimator : PafoRewardEstimator
        Fitted on texts, or loaded. Enrolments change it.
    database : path
        SQLite file of the enrolments since the model was saved; made if absent. One service at a
        time can have it. Its enrolments are added to the estimator.
    token : str or None, default=None
        Bearer token that every request but ``/`` and ``/health`` must have. None: no token is
        asked for, so bind to a loopback address only, as ``python -m pafo_sk.serve`` does. White
        space around it, such as the end of the line of a file, does not belong to it.

    Returns
    -------
    FastAPI

    Raises
    ------
    ValueError, OSError
        If the model is not one of texts, the token is empty or not printable ASCII, or the encoder
        is not that of `fit` or cannot be loaded.
    RuntimeError
        If the database cannot be written, another service has it, or it belongs to another model.

    Notes
    -----
    The model is warmed up here, and the database is open until the application is shut down. An
    application that is mounted into another one is never told of that: give its lifespan to the
    other, as in ``FastAPI(lifespan=app.router.lifespan_context)``.

    Warnings of the library may name users. ``python -m pafo_sk.serve`` silences them; an
    application of your own that logs warnings should do the same.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_text_preferences
    >>> from pafo_sk.serve import create_app
    >>> data = make_text_preferences(n_users=8, n_comparisons=4, n_prompts=4, random_state=0)
    >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
    >>> create_app(model, f"{mkdtemp()}/enrolled.sqlite").title
    'pafo_sk'
    """
    token = None if token is None else _checked(token)
    served = ServedModel(estimator, Path(database))
    # one thread asks the model, so that enrolments and predictions follow one another
    executor = ThreadPoolExecutor(1, thread_name_prefix="pafo_sk-model")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        executor.shutdown()
        served.close()

    async def run(work: Callable, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, work, *args)

    # no pages of FastAPI about the API, because they load scripts from elsewhere
    app = FastAPI(
        title="pafo_sk", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_middleware(_LimitedBody)
    if token is not None:
        app.add_middleware(_Authorised, token=token)
    metrics = _Metrics()
    app.middleware("http")(metrics.measured)

    rewards = {
        standard: Batcher(partial(_reward, estimator, standard), executor, r.MAX_ROWS)
        for standard in (None, "user", "population")
    }
    margins = Batcher(served.margins, executor, r.MAX_ROWS)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # without what was sent, which may be private, or no valid text
        first = error.errors()[:MOST_ERRORS]
        known = [{k: one[k] for k in ("type", "loc", "msg")} for one in first]
        return JSONResponse({"detail": _printable(known)}, 422)

    @app.exception_handler(sqlite3.Error)
    async def not_written(request: Request, error: sqlite3.Error) -> JSONResponse:
        detail = f"Nothing was changed, because the database cannot be written ({error})."
        return JSONResponse({"detail": detail}, 507)

    @app.exception_handler(NotErased)
    async def not_erased(request: Request, error: NotErased) -> JSONResponse:
        detail = (
            "The users are forgotten. Files of the database still hold what they had enrolled, "
            f"because it cannot be written ({error}): make room, and send the request again."
        )
        return JSONResponse({"detail": detail}, 507)

    @app.post("/reward")
    async def reward(request: r.RewardRequest) -> r.Rewards:
        """Reward responses."""
        found = await rewards[request.standardize](served.items(request.items))
        return r.Rewards(rewards=found.tolist())

    @app.post("/rank")
    async def rank(request: r.RankRequest) -> r.Ranks:
        """Rank the responses to each user and prompt."""
        found = await rewards[None](served.items(request.items))
        return r.Ranks(ranks=served.ranks(request.items, found))

    @app.post("/predict")
    async def predict(request: r.PredictRequest) -> r.Predictions:
        """Predict the winners of comparisons."""
        margin = await margins(served.comparisons(request.comparisons))
        winners: list[Any] = ["b" if one > 0 else "a" for one in margin]
        return r.Predictions(winners=winners, probability_b=expit(margin).tolist())

    @app.post("/enroll")
    async def enroll(request: r.EnrollRequest) -> r.Enrolled:
        """Add choices to the histories of their users; on the disk when this answers."""
        if not estimator.reader_.has_users_:
            raise HTTPException(409, "The model was fitted without users.")
        try:
            new = await run(served.enroll, request.comparisons)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        metrics.enrolled.inc(new)
        return r.Enrolled(enrolled=new, repeated=len(request.comparisons) - new)

    @app.post("/forget")
    async def forget(request: r.ForgetRequest) -> r.Forgotten:
        """Forget users."""
        try:
            await run(served.forget, request.users)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return r.Forgotten(known_users=served.n_known_users)

    @app.post("/users")
    async def users(request: r.UsersRequest) -> r.Users:
        """Say how many comparisons of users are known; without users, list some known ones."""
        return r.Users(
            users=[r.User(user=u, comparisons=n) for u, n in served.users(request.users)]
        )

    @app.get("/", response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        """A page for people. It holds no data, so it needs no token."""
        return HTMLResponse(PAGE, headers=HEADERS)

    @app.get("/health")
    async def health() -> r.Health:
        """Say that the service answers."""
        return r.Health(status="ok", version=__version__, known_users=served.n_known_users)

    @app.get("/metrics", response_class=Response)
    async def show_metrics() -> Response:
        """Numbers for Prometheus."""
        metrics.known_users.set(served.n_known_users)
        content = generate_latest(metrics.registry)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/card", response_class=HTMLResponse)
    async def card() -> HTMLResponse:
        """The model card."""
        found = await run(estimator.model_card)
        return HTMLResponse(f"<!doctype html><title>Model card</title>{found.to_html()}")

    return app


class _Metrics:
    """Counts and times of requests, by path and status; no user and no text."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("path", "status")
        self.requests = Counter("pafo_requests", "Requests", labels, registry=self.registry)
        self.seconds = Histogram("pafo_seconds", "Duration", ("path",), registry=self.registry)
        self.enrolled = Counter("pafo_enrolled", "Comparisons enrolled", registry=self.registry)
        self.known_users = Gauge("pafo_known_users", "Known users", registry=self.registry)

    async def measured(
        self, request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        start = time.perf_counter()
        status = 500  # an exception becomes this status further out
        try:
            response = await call_next(request)
            status = response.status_code
            return response
        finally:
            # the path of a route, because others would make a number of their own
            path = getattr(request.scope.get("route"), "path", "other")
            self.requests.labels(path, str(status)).inc()
            self.seconds.labels(path).observe(time.perf_counter() - start)


class _Authorised:
    """Refuses requests without the token before their body is read."""

    def __init__(self, app: ASGIApp, token: str):
        self._app, self._wanted = app, b"bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] == "http" and path not in OPEN:
            scheme, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
            if not secrets.compare_digest(scheme.lower() + b" " + given.strip(), self._wanted):
                refused = JSONResponse(
                    {"detail": "Send the token: Authorization: Bearer ..."},
                    401,
                    {"WWW-Authenticate": "Bearer"},
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _LimitedBody:
    """Refuses bodies that are too large, also those that do not say how large they are."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        n_bytes = int(length) if length.isdigit() else 0
        too_large = JSONResponse({"detail": f"A body may have {r.MAX_BODY:,} bytes."}, 413)
        if n_bytes > r.MAX_BODY:
            await too_large(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > r.MAX_BODY:
                raise HTTPException(413, f"A body may have {r.MAX_BODY:,} bytes.")
            return message

        await self._app(scope, limited, send)


def _checked(token: str) -> str:
    """Return the token without white space around it, if the header of a request can hold it."""
    token = token.strip()
    if not (token and token.isascii() and token.isprintable()):
        raise ValueError(
            "token (the environment variable PAFO_SK_TOKEN) is empty or not printable ASCII, so "
            "that no header could hold it. Make one, for instance with python -c 'import secrets; "
            "print(secrets.token_urlsafe())'; for no token pass None, or leave the variable out."
        )
    return token


def _reward(estimator: Any, standardize: str | None, items: Any) -> Any:
    return estimator.reward(items, standardize=standardize)


def _printable(value: Any) -> Any:
    """The value without lone surrogates, which no answer can hold."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list | tuple) else value

"""What the two REST services share: answers, problems, query strings and serving."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import asynccontextmanager, closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from backends.calls import CallLog
from backends.data.database import open_database
from backends.data.pages import InvalidCursorError
from backends.process import explain_failure, read_options, run_until_stopped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from starlette.requests import Request

    from backends.data.pages import Page

__all__ = [
    "ProblemError",
    "answer_json",
    "answer_page",
    "answer_rows",
    "create_rest_app",
    "note_call",
    "read_ids",
    "read_limit",
    "refuse_large_batch",
    "refuse_unknown_parameters",
    "run_rest",
    "serve_rest",
]

MAX_IDS = 1000
MAX_LIMIT = 1000
DEFAULT_LIMIT = 20
TIMEOUT_HEADER = "x-request-timeout-ms"
GRACE_SECONDS = 2
LISTEN_BACKLOG = 2048
_LIMIT = re.compile("[0-9]{1,4}")
_MILLISECONDS = re.compile("[0-9]{1,9}")


class ProblemError(Exception):
    """The request cannot be served; answered as problem details.

    See https://www.rfc-editor.org/rfc/rfc9457.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, errors: dict[str, str] | None = None
    ) -> None:
        """Describe the problem.

        Args:
            status: The HTTP status.
            detail: What is wrong, in one sentence.
            errors: What is wrong with single fields or parameters, by name.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or {}


def answer_json(value: object) -> Response:
    """Answer a dataclass, or anything else that JSON can say."""
    body = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


def answer_page(page: Page[Any]) -> Response:
    """Answer a page; ``next_cursor`` is what to send as ``after``, null at the end."""
    return answer_json(
        {
            "items": page.items,
            "next_cursor": page.end_cursor if page.has_more else None,
            "has_more": page.has_more,
            "total": page.total,
        }
    )


def answer_rows(rows: Sequence[object]) -> Response:
    """Answer a batch, in the shape of a page that has everything."""
    return answer_json(
        {"items": rows, "next_cursor": None, "has_more": False, "total": len(rows)}
    )


async def note_call(
    calls: CallLog, request: Request, endpoint: str, *, keys: int = 0
) -> None:
    """Count a request, and make it as slow as the service is told to be."""
    timeout = request.headers.get(TIMEOUT_HEADER, "")
    await calls.arrived(
        endpoint,
        keys=keys,
        headers=dict(request.headers),
        timeout_ms=int(timeout) if _MILLISECONDS.fullmatch(timeout) else None,
    )


def read_ids(request: Request) -> list[str]:
    """Read ``?ids=u1,u2``."""
    asked = request.query_params.get("ids", "").split(",")
    return [row_id for row_id in asked if row_id]


def refuse_large_batch(ids: Sequence[str]) -> None:
    """Refuse more ids than a call may name."""
    if len(ids) > MAX_IDS:
        raise _parameter_problem("ids", f"names {len(ids)} ids, more than {MAX_IDS}")


def read_limit(request: Request) -> int:
    """Read ``?limit=``, or take the default."""
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise _parameter_problem("limit", f"is not a number from 0 to {MAX_LIMIT}")
    return int(text)


def refuse_unknown_parameters(request: Request, known: Sequence[str]) -> None:
    """Refuse query parameters that would be ignored."""
    for name in request.query_params:
        if name not in known:
            raise _parameter_problem(name, f"is unknown here: use {', '.join(known)}")


def _parameter_problem(name: str, message: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f'The query parameter "{name}" {message}.',
        {name: message},
    )


def create_rest_app(routes: Sequence[Route], calls: CallLog) -> Starlette:
    """Make the application: the service's routes, its health and its call counts."""

    async def get_health(_request: Request) -> Response:
        return answer_json({"status": "ok"})

    async def get_calls(_request: Request) -> Response:
        return answer_json(calls.endpoints)

    async def delete_calls(_request: Request) -> Response:
        calls.reset()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return Starlette(
        routes=[
            *routes,
            Route("/health", get_health),
            Route("/_calls", get_calls, methods=["GET"]),
            Route("/_calls", delete_calls, methods=["DELETE"]),
        ],
        exception_handlers={
            ProblemError: _answer_error,
            InvalidCursorError: _answer_error,
            HTTPException: _answer_error,
            Exception: _answer_error,
        },
    )


async def _answer_error(_request: Request, error: Exception) -> Response:
    match error:
        case ProblemError():
            return _answer_problem(error)
        case InvalidCursorError():
            return _answer_problem(_parameter_problem("after", str(error)))
        case HTTPException():  # no such path, or another method
            status = HTTPStatus(error.status_code)
            answer = _answer_problem(ProblemError(status, f"{error.detail}."))
            answer.headers.update(error.headers or {})
            return answer
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return _answer_problem(ProblemError(status, "The service failed."))


def _answer_problem(problem: ProblemError) -> Response:
    body: dict[str, object] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [
            {"field": name, "message": message}
            for name, message in problem.errors.items()
        ]
    return Response(
        orjson.dumps(body), problem.status, media_type="application/problem+json"
    )


@asynccontextmanager
async def serve_rest(app: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve the application while entered, and say at which URL.

    Raises:
        OSError: If the address cannot be listened on.
    """
    with closing(_listen(host, port)) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever enters ``serve_rest``."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)  # so that nobody is refused from here on
    except OSError:
        listener.close()
        raise
    return listener


def run_rest(
    name: str,
    default_port: int,
    create_app: Callable[[sqlite3.Connection, CallLog], Starlette],
) -> None:
    """Run one REST service as the process that the command line describes."""
    options = read_options(name, default_port)
    with closing(open_database(options.database)) as connection:
        app = create_app(connection, CallLog(delay=options.delay))
        serving = serve_rest(app, options.host, options.port)
        with (
            explain_failure(options),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(run_until_stopped(name, serving))

"""A run behind HTTP: checked requests in, answers or one clear line out."""

import asyncio
import hmac
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as Path

from lowerbound.errors import LowerboundError
from lowerbound.web.bodies import ARROW, JSON, NPY, BodyError, rows_of, written
from lowerbound.web.routes import PAGE_ROUTES, ROUTES, Route, openapi
from lowerbound.web.worker import Worker

if TYPE_CHECKING:
    from lowerbound.web.service import Service

#: Bytes of a request's body, and seconds that an answer may take.
MOST_BYTES, MOST_SECONDS = 64 * 2**20, 120.0
#: Seconds in which a browser fetches the page before a model is loaded all the same.
PATIENCE = 1.5
#: Requests that wait at a time; more are told to come back later.
MOST_WAITING = 512
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Metrics:
    """Counts of what was answered, in the text form of Prometheus."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = {}
        self.waiting = 0

    def text(self) -> str:
        """List the counts."""
        lines = [f"lowerbound_waiting {self.waiting}"]
        lines += [
            f'lowerbound_answers_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.answers.items())
        ]
        return "\n".join(lines) + "\n"


def app_of(
    load: "Callable[[], Service]",
    *,
    hosts: frozenset[str],
    token: str | None = None,
    page: bool = False,
    pair: bool = False,
) -> Starlette:
    """Make the application; requests wait until the service is loaded, the page does not.

    Args:
        load: Makes what answers; an `Explorer` for the page.
        hosts: Values of the Host header that are served, so that no other site can be made to
            speak for this one (DNS rebinding).
        token: Must come with each request, as `Authorization: Bearer` or `?token=`; None for none.
        page: Whether the explorer is served.
        pair: Whether it shows a second run, that of `Explorer.other`.
    """
    worker, metrics = Worker(load, patience=PATIENCE if page else 0.0), Metrics()

    async def answer(route: Route, request: Request) -> Response:
        refused, arguments = _refusal(request, hosts, token), {}
        if refused is None:
            refused, arguments = await _arguments(route, request)
        if refused is None and metrics.waiting >= MOST_WAITING:
            refused = _error(503, "too many requests are waiting; try again later")
        if refused is None:
            metrics.waiting += 1
            try:
                waiting = asyncio.wrap_future(worker.put(route.name, arguments))
                found = await asyncio.wait_for(waiting, MOST_SECONDS)
                media = request.headers.get("accept", JSON)
                media = media if media in (NPY, ARROW) else JSON
                refused = Response(written(found, media), media_type=media)
            except LowerboundError as error:
                loaded = worker.service.exception() is None
                refused = _error(422 if loaded else 503, str(error))
            except TimeoutError:
                refused = _error(503, f"no answer within {MOST_SECONDS:g} seconds; ask for less")
            finally:
                metrics.waiting -= 1
        key = (route.name, refused.status_code)
        metrics.answers[key] = metrics.answers.get(key, 0) + 1
        return _guarded(refused)

    def guarded(make: Callable[[Request], Response], open_to_all: bool = False) -> Any:
        async def handle(request: Request) -> Response:
            known = None if open_to_all else token
            return _guarded(_refusal(request, hosts, known) or make(request))

        return handle

    @asynccontextmanager
    async def lifespan(app: Starlette):  # type: ignore[no-untyped-def]
        yield
        worker.end()

    routes = (*ROUTES, *PAGE_ROUTES) if page else ROUTES
    if pair:
        routes += tuple(replace(route, name=f"other/{route.name}") for route in routes)
    paths = [Path(route.path, partial(answer, route), methods=[route.method]) for route in routes]
    paths += [
        Path("/openapi.json", guarded(lambda request: JSONResponse(openapi(routes)))),
        Path("/health", guarded(lambda request: PlainTextResponse("ok\n"), open_to_all=True)),
        Path("/metrics", guarded(lambda request: PlainTextResponse(metrics.text()))),
    ]  # fmt: skip
    if page:
        paths.append(Path("/", guarded(partial(_page, "index.html"), open_to_all=True)))
        paths += [
            Path(f"/{name}", guarded(partial(_page, name), open_to_all=True)) for name in PAGES
        ]
    app = Starlette(routes=paths, lifespan=lifespan, exception_handlers={
        404: lambda request, error: _guarded(_error(404, "there is no such page")),
        405: lambda request, error: _guarded(_error(405, "this page takes another method")),
    })  # fmt: skip
    app.state.service = worker.service
    return app


#: Files of the page, with their types; no name is ever taken from a request.
PAGES = {
    "index.html": "text/html",
    "explore.css": "text/css",
    **{
        f"{name}.js": "text/javascript"
        for name in ("explore", "page", "draw", "map", "sound", "save", "fill", "groups", "pair")
    },
}


def _page(name: str, request: Request) -> Response:
    place = resources.files("lowerbound.web").joinpath("page", name)
    return Response(place.read_bytes(), media_type=PAGES[name])


def _refusal(request: Request, hosts: frozenset[str], token: str | None) -> Response | None:
    host = request.headers.get("host", "")
    if host not in hosts:
        return _error(403, "this server answers to its own address only")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] not in hosts:
        return _error(403, "requests of other sites are refused")
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = given or request.query_params.get("token", "")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return _error(401, "the token is missing or wrong; use the address that was printed")
    return None


async def _arguments(route: Route, request: Request) -> tuple[Response | None, dict[str, Any]]:
    if not route.arguments:
        return None, {}
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return _error(413, f"a body holds at most {MOST_BYTES // 2**20} MiB"), {}
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media in (NPY, ARROW) and route.rows:
            # the rows are the body, and whatever else there is stands in the address
            told = {
                name: word if route.is_words(name) else json.loads(word)
                for name, word in request.query_params.items()
                if name != "token"
            }
            route.check({**told, route.rows: []})
            return None, {**told, route.rows: rows_of(bytes(body), media)}
        return None, route.check(json.loads(bytes(body) or b"{}"))
    except BodyError as error:
        return _error(400, str(error)), {}
    except LowerboundError as error:
        return _error(422, str(error)), {}
    except (ValueError, RecursionError):
        return _error(400, "the body is no JSON"), {}


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)


def _guarded(response: Response) -> Response:
    response.headers.update({
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    })  # fmt: skip
    return response

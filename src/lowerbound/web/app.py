"""A run behind HTTP: checked requests in, answers or one clear line out."""

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as Path

from lowerbound.errors import LowerboundError
from lowerbound.web.explorer import Explorer
from lowerbound.web.routes import PAGE_ROUTES, ROUTES, Route, openapi
from lowerbound.web.service import Service

#: Bytes of a request's body, and seconds that an answer may take.
MOST_BYTES, MOST_SECONDS = 64 * 2**20, 120.0
#: Rows of several requests that are answered by one call.
MOST_TOGETHER = 1024
#: Requests that wait at a time; more are told to come back later.
MOST_WAITING = 512
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Together:
    """Answers requests that wait at the same time by one call of the model.

    Rows do not depend on each other, so the examples of several requests go through the networks
    at once. A call that is refused is made again for each request by itself, so that one that
    cannot be used spoils no other.

    Args:
        use: A use whose argument `given` is a list of rows, and whose answer's value is one, too.
        given: Name of that argument.
    """

    def __init__(self, use: Callable[..., dict[str, Any]], given: str) -> None:
        self.use, self.given = use, given
        self.waiting: deque[tuple[list[Any], Future[dict[str, Any]]]] = deque()

    def put(self, rows: list[Any]) -> "Future[dict[str, Any]]":
        """Add a request, before a call of `answer`."""
        found: Future[dict[str, Any]] = Future()
        self.waiting.append((rows, found))
        return found

    def answer(self) -> None:
        """Answer some of what waits, at most `MOST_TOGETHER` rows; in the worker."""
        taken: list[tuple[list[Any], Future[dict[str, Any]]]] = []
        while self.waiting:
            if taken and sum(len(rows) for rows, _ in (*taken, self.waiting[0])) > MOST_TOGETHER:
                break
            taken.append(self.waiting.popleft())
        if not taken:  # an earlier call took them all
            return
        try:
            ((name, values),) = self.use(
                **{self.given: [row for rows, _ in taken for row in rows]}
            ).items()
        except LowerboundError:
            for rows, found in taken:
                try:
                    found.set_result(self.use(**{self.given: rows}))
                except Exception as error:  # handed on to the one who waits
                    found.set_exception(error)
            return
        except Exception as error:  # likewise
            for _, found in taken:
                found.set_exception(error)
            return
        first = 0
        for rows, found in taken:
            found.set_result({name: values[first : first + len(rows)]})
            first += len(rows)


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


def app_of(service: Service, *, hosts: frozenset[str], token: str | None = None) -> Starlette:
    """Make the application.

    Args:
        service: Answers.
        hosts: Values of the Host header that are served, so that no other site can be made to
            speak for this one (DNS rebinding).
        token: Must come with each request, as `Authorization: Bearer` or `?token=`; None for none.
    """
    worker, metrics = ThreadPoolExecutor(1, "lowerbound"), Metrics()
    together = {
        "encode": Together(service.encode, "examples"),
        "decode": Together(service.decode, "latents"),
    }

    async def answer(route: Route, request: Request) -> Response:
        refused, arguments = _refusal(request, hosts, token), {}
        if refused is None:
            refused, arguments = await _arguments(route, request)
        if refused is None and metrics.waiting >= MOST_WAITING:
            refused = _error(503, "too many requests are waiting; try again later")
        if refused is None:
            metrics.waiting += 1
            try:
                one = together.get(route.name)
                if one is not None and set(arguments) == {one.given} and arguments[one.given]:
                    waiting = asyncio.wrap_future(one.put(arguments[one.given]))
                    worker.submit(one.answer)
                else:
                    call = partial(getattr(service, route.name), **arguments)
                    waiting = asyncio.get_running_loop().run_in_executor(worker, call)
                found = await asyncio.wait_for(asyncio.shield(waiting), MOST_SECONDS)
                refused = JSONResponse(found)
            except LowerboundError as error:
                refused = _error(422, str(error))
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
        worker.shutdown(wait=True)  # what was begun is finished

    page = isinstance(service, Explorer)
    routes = (*ROUTES, *PAGE_ROUTES) if page else ROUTES
    paths = [Path(route.path, partial(answer, route), methods=[route.method]) for route in routes]
    title = f"lowerbound: {service.schema.describe()}"
    paths += [
        Path("/openapi.json", guarded(lambda request: JSONResponse(openapi(title, routes)))),
        Path("/health", guarded(lambda request: PlainTextResponse("ok\n"), open_to_all=True)),
        Path("/metrics", guarded(lambda request: PlainTextResponse(metrics.text()))),
    ]  # fmt: skip
    if page:
        paths.append(Path("/", guarded(partial(_page, "index.html"), open_to_all=True)))
        paths += [
            Path(f"/{name}", guarded(partial(_page, name), open_to_all=True)) for name in PAGES
        ]
    return Starlette(routes=paths, lifespan=lifespan, exception_handlers={
        404: lambda request, error: _guarded(_error(404, "there is no such page")),
        405: lambda request, error: _guarded(_error(405, "this page takes another method")),
    })  # fmt: skip


#: Files of the page, with their types; no name is ever taken from a request.
PAGES = {
    "index.html": "text/html",
    "explore.css": "text/css",
    "explore.js": "text/javascript",
    "page.js": "text/javascript",
    "draw.js": "text/javascript",
    "fill.js": "text/javascript",
    "groups.js": "text/javascript",
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
    try:
        found = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError):
        return _error(400, "the body is no JSON"), {}
    try:
        return None, route.check(found)
    except LowerboundError as error:
        return _error(422, str(error)), {}


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

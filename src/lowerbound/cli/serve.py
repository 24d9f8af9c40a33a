"""`lowerbound serve`: the uses of a run over HTTP."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Annotated

from lowerbound.cli.common import Device, RunPath, open_run, option
from lowerbound.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    from lowerbound.web.service import Service

LOCAL = ("127.0.0.1", "localhost", "::1")


def command(
    path: RunPath,
    host: Annotated[str, option("--host", "NAME", "Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, option("--port", "N", "Port; 0 for a free one.")] = 8000,
    token: Annotated[
        str | None, option("--token", "WORD", "Each request must bring it; none on 127.0.0.1.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Answer requests about a run: generate, encode, decode, reconstruct, score.

    Bodies and answers are JSON; /openapi.json describes them. Listens on this machine alone unless
    --host says otherwise, and then a token is needed, which is printed. Ctrl-C ends it when what
    was begun is done.

    Examples:
      lowerbound serve runs/one
      curl -d '{"count": 3}' http://127.0.0.1:8000/api/generate
    """
    local = host in LOCAL
    from lowerbound.web.service import Service

    service = Service(open_run(path, device))
    listen(lambda: service, host, port, new_token() if token is None and not local else token)


def new_token() -> str:
    """Make a token that nobody guesses."""
    import secrets

    return secrets.token_urlsafe(16)


def listen(
    load: "Callable[[], Service]",
    host: str,
    port: int,
    token: str | None,
    *,
    page: bool = False,
    pair: bool = False,
    browser: bool = False,
) -> None:
    """Listen until told to end; the page is there before `load` is done.

    Raises:
        OutputError: The address is taken.
        LowerboundError: As `load` raised it, which ends the server.
    """
    import socket

    from lowerbound.cli.console import say, tell

    try:
        import uvicorn

        from lowerbound.web.app import app_of
    except ImportError as error:
        raise MissingExtraError("serve", str(error.name), "web") from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only where the protocol is named: else each waits 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # who comes early waits
    except OSError as error:
        listening.close()
        raise OutputError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
    port = listening.getsockname()[1]
    names = {host, *LOCAL} if host in LOCAL else {host, socket.gethostname()}
    hosts = frozenset(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    address += f"?token={token}" if token else ""
    say(address)
    tell("Ctrl-C ends it")
    app = app_of(load, hosts=hosts, token=token, page=page, pair=pair)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_graceful_shutdown=30
        )
    )  # fmt: skip

    def loaded(service: "Future[Service]") -> None:
        server.should_exit = server.should_exit or service.exception() is not None

    app.state.service.add_done_callback(loaded)
    if browser:
        import threading
        import webbrowser

        threading.Timer(0.2, webbrowser.open, [address]).start()
    with listening:
        server.run(sockets=[listening])
    app.state.service.result()  # raises what went wrong while loading

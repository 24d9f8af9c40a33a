"""`lowerbound serve`: the uses of a run over HTTP."""

from typing import Annotated

from lowerbound.cli.common import Device, RunPath, open_run, option
from lowerbound.errors import MissingExtraError, OutputError


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
    serve(path, host, port, token, device)


def serve(
    path,
    host: str,
    port: int,
    token: str | None,
    device: str,
    *,
    page: bool = False,
    browser: bool = False,
    source: str | None = None,
) -> None:  # type: ignore[no-untyped-def]
    """Listen until told to end; with a page, a token is always needed."""
    import secrets
    import socket

    from lowerbound.cli.console import say, tell

    try:
        import uvicorn

        from lowerbound.web.app import app_of
    except ImportError as error:
        raise MissingExtraError("serve", str(error.name), "web") from error
    from lowerbound.web.explorer import Explorer
    from lowerbound.web.service import Service

    local = host in ("127.0.0.1", "localhost", "::1")
    if token is None and (page or not local):
        token = secrets.token_urlsafe(16)
    run = open_run(path, device)
    if page:
        from lowerbound.cli.sources import own_data, read_for

        service = Explorer(
            run, own_data(run).test if source is None else read_for(source, run.schema)
        )
    else:
        service = Service(run)
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OutputError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
    port = listening.getsockname()[1]
    names = {host, "127.0.0.1", "localhost"} if local else {host, socket.gethostname()}
    hosts = frozenset(f"{name}:{port}" for name in names)
    app = app_of(service, hosts=hosts, token=token)
    tail = f"/?token={token}" if token else "/"
    say(f"http://{host}:{port}{tail}")
    tell("Ctrl-C ends it")
    if page and browser:
        import threading
        import webbrowser

        threading.Timer(0.5, webbrowser.open, [f"http://{host}:{port}{tail}"]).start()
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=30
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])

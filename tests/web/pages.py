"""A page behind a server, and the browser that the tests of the page use."""

import shutil
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from lowerbound.web.app import app_of

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@contextmanager
def served(explorer):
    """Serve a run on a free port; give the address of the page."""
    listening = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    pair = explorer.other is not None
    app = app_of(lambda: explorer, hosts=frozenset({host}), token="word", page=True, pair=pair)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{host}/?token=word"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()

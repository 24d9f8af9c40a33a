"""A process that trains in processes of its own and kills them; run by test_resume.py.

It trains once, so that everything is imported, and forks for every training, each a real process
that ends by SIGKILL. On stdin it takes JSON: a list of `[out, arguments, kills]`. A kill is
`["call", NAME, N]`, just before the N-th call of `os.NAME`, or `["after", SECONDS]`, so long after
training began. After the last kill the run is taken up again until it is done. On stdout: the exit
codes, one list for each.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress

import lowerbound.cli.train  # imports torch before the forks
from lowerbound.cli import main
from lowerbound.training import Callback


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at_call(name: str, number: int) -> None:
    real, seen = getattr(os, name), 0

    def counted(*arguments, **more):
        nonlocal seen
        seen += 1
        if seen == number:
            die()
        return real(*arguments, **more)

    setattr(os, name, counted)


def tells_when_it_begins(pipe: int) -> None:
    Callback.on_start = lambda *_: os.write(pipe, b"x")  # type: ignore[assignment]


def trained(arguments: list[str], kill: list | None) -> int:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        tells_when_it_begins(writer)
        if kill and kill[0] == "call":
            dies_at_call(*kill[1:])
        os._exit(main(arguments))
    os.close(writer)
    if kill and kill[0] == "after":
        os.read(reader, 1)
        time.sleep(kill[1])
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(reader)
    return code


def finished(out: str) -> bool:
    try:
        with open(f"{out}/spec.json") as file:
            return json.load(file)["result"].get("stopped") in ("epochs", "patience")
    except OSError:
        return False


def run() -> None:
    lowerbound.cli.train.conclude = lambda *_: 0  # the evaluation afterwards is not in question
    os.fsync = lambda descriptor: None  # a kill of the process does not empty the system's buffers
    plan = json.load(sys.stdin)
    main(["fit", *plan[0][1], "--out", "warm", "--quiet"])  # what is imported late is imported now
    codes = []
    for out, arguments, kills in plan:
        more = ["--quiet", "--no-report", "--save-every", "0"]
        command, found = ["fit", *arguments, "--out", out], []
        for kill in [*kills, None]:
            found.append(trained([*command, *more], kill))
            if found[-1] == -signal.SIGKILL and finished(out):
                found.append(0)  # the kill came between the last word of the run and the exit
                with suppress(FileNotFoundError):
                    os.unlink(f"{out}/.lock")  # or before it was let go of; nobody holds it
            if found[-1] == 0:
                break
            if os.path.exists(f"{out}/spec.json"):
                command = ["fit", "--resume", out]
        codes.append(found)
    json.dump(codes, sys.stdout)


if __name__ == "__main__":  # pytest imports it to look for doctests
    run()

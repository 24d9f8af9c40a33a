"""Work in processes of its own, one line of JSON a piece: what crashes there is survived here."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from lowerbound.errors import DataError

Job = dict[str, Any]

#: A worker needs single modules of `lowerbound.data`; the names of the package need torch, which
#: takes seconds to import.
START = """
import sys, types
from pathlib import Path
import lowerbound
package = types.ModuleType("lowerbound.data")
package.__path__ = [str(Path(lowerbound.__file__).parent / "data")]
sys.modules["lowerbound.data"] = package
from lowerbound.data.stored.worker import main
main()
"""


class _Worker:
    """A process that answers one job at a time."""

    def __init__(self) -> None:
        root = os.fspath(Path(__file__).parents[3])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        )

    def ask(self, job: Job) -> Job | None:
        """The answer; None if the process died over it."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return None
        try:
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (OSError, ValueError):
            return None

    def end(self) -> None:
        """End the process, busy or not."""
        self.process.kill()
        self.process.communicate()


def in_workers(
    jobs: Iterable[Job],
    divide: Callable[[Job], list[Job] | None] = lambda job: None,
    *,
    count: int | None = None,
) -> Iterator[Job]:
    """The answers to jobs, in the order of the jobs.

    Args:
        jobs: Each with "do", a name that `worker` knows.
        divide: What to ask instead of a job that a process died over, or None.
        count: Processes at a time; as many as there are cores, at most 8, if None.

    Raises:
        DataError: A job failed, or a process died over one that cannot be divided.
    """
    count = count or min(8, os.cpu_count() or 1)
    here = threading.local()
    started: list[_Worker] = []
    over = threading.Event()

    def ask(job: Job) -> Job | None:
        if over.is_set():
            return {"error": "it was ended"}
        if getattr(here, "worker", None) is None:
            here.worker = _Worker()
            started.append(here.worker)
        answer = here.worker.ask(job)
        if answer is None:
            here.worker.end()
            here.worker = None
        return answer

    def work(job: Job) -> Job:
        answer = ask(job)
        if answer is not None:
            return answer
        told: list[Any] = []
        for one in divide(job) or [job]:
            found = ask(one)
            if found is None and "pictures" not in one:
                return {"error": "a process that reads the data died; is there enough memory?"}
            # a picture that kills its decoder is as broken as one that does not decode
            row = one.get("first")
            if found is not None and "error" in found:
                return found
            told += [[row, "files skipped: broken"]] if found is None else found["told"]
        return {"told": told}

    pool = ThreadPoolExecutor(count, thread_name_prefix="lowerbound-worker")
    todo, running = iter(jobs), list[Future[Job]]()
    try:
        while True:
            running += [pool.submit(work, job) for job in islice(todo, 4 * count - len(running))]
            if not running:
                return
            answer = running.pop(0).result()
            if "error" in answer:
                raise DataError(answer["error"])
            yield answer
    finally:
        over.set()  # so that nobody takes a worker that is ended here for one that died
        for future in running:
            future.cancel()
        for worker in started:
            worker.process.kill()  # whoever waits for its answer stops waiting, and ends it
        pool.shutdown(cancel_futures=True)
        for worker in started:  # not before: two threads must not close the same pipes
            worker.end()

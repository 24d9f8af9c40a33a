"""pytest plugin of tools/mutate.py: collect the tests once, then fork for each mutant.

mutmut collects the tests again for every mutant, which takes longer than most of the tests that
kill one. Here the process that holds the imported, mutated library forks; the child switches one
mutant on, runs the tests that reach its function, quickest first, and stops at the first failure.
"""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from mutate import another

# Absolute: a test may have changed the working directory.
PLAN, VERDICTS = Path("plan.json").resolve(), Path("verdicts.jsonl").resolve()
PROCESSES = int(os.environ.get("MUTATION_PROCESSES", "1"))
#: A mutant may take this many times as long as its tests do without it, and a minute more.
PATIENCE, GRACE = 10.0, 60.0


class Runner:
    """What a session does once its tests are collected."""

    def __init__(self, session: pytest.Session) -> None:
        self.items = {item.nodeid: item for item in session.items}
        self.seconds: dict[str, float] = {}
        self.reached_by: dict[str, set[str]] = defaultdict(set)
        self.running: dict[int, tuple[str, float, float]] = {}

    def run(self) -> bool:
        """Every mutant of the plan; False when a test fails without any."""
        set_mutant_under_test("stats")
        for name, item in self.items.items():
            began = time.monotonic()
            if failure := run_one(item):
                print(f"{name} fails without a mutant: {failure}", file=sys.stderr)
                return False
            self.seconds[name] = time.monotonic() - began
            for function in state()._stats:
                self.reached_by[function].add(name)
            state()._stats.clear()
        set_mutant_under_test("")
        for mutant in json.loads(PLAN.read_text()):
            tests = self.reached_by[mutant.partition("__mutmut_")[0]]
            if ":" in mutant:  # who reads a constant is not known: all tests may
                tests = set(self.items)
            while len(self.running) >= PROCESSES:
                self.wait()
            self.start(mutant, sorted(tests, key=self.order(mutant)))
        while self.running:
            self.wait()
        return True

    def order(self, mutant: str) -> Callable[[str], tuple[bool, float]]:
        """Tests of the mutant's own package first, then what kills most in the least time."""
        own = f"tests/{mutant.split('.')[1]}/"
        lines = VERDICTS.read_text().splitlines() if VERDICTS.exists() else []
        kills = Counter(json.loads(line)["killer"] for line in lines)
        return lambda name: (not name.startswith(own), self.seconds[name] / (1 + kills[name]))

    def start(self, mutant: str, tests: list[str]) -> None:
        """Fork a child that gives its verdict."""
        limit = GRACE + PATIENCE * sum(self.seconds[name] for name in tests)
        sys.stdout.flush()
        child = os.fork()
        if child:
            self.running[child] = (mutant, time.monotonic(), limit)
            return
        verdict, killer = ("survived" if tests else "no tests"), ""
        try:
            switch_on(mutant)
            for name in tests:
                if run_one(self.items[name]):
                    verdict, killer = "killed", name
                    break
        except BaseException as stopped:
            verdict, killer = "killed", repr(stopped)
        finally:
            write(mutant, verdict, killer)
            os._exit(0)

    def wait(self) -> None:
        """Until a child is done or has taken too long."""
        while True:
            child, _ = os.waitpid(-1, os.WNOHANG)
            if child:
                del self.running[child]
                return
            for process, (mutant, began, limit) in self.running.items():
                if time.monotonic() - began > limit:
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)
                    write(mutant, "timeout", "")
                    del self.running[process]
                    return
            time.sleep(0.02)


def switch_on(mutant: str) -> None:
    """Change this process: a function by mutmut's switch, `module:class:constant` by hand."""
    module, _, rest = mutant.partition(":")
    if not rest:
        set_mutant_under_test(mutant)
        return
    owner, _, name = rest.partition(":")
    place = getattr(sys.modules[module], owner) if owner else sys.modules[module]
    old = vars(place)[name]
    if owner:
        setattr(place, name, another(old))
        fields = getattr(place, "__dataclass_fields__", {})
        defaults = [f for f in fields if f in vars(place)]
        if name in defaults:
            values = [another(old) if f == name else vars(place)[f] for f in defaults]
            place.__init__.__defaults__ = tuple(values)
        return
    for imported in list(sys.modules.values()):
        if vars(imported).get(name) is old:
            setattr(imported, name, another(old))


def run_one(item: pytest.Item) -> str:
    """What failed in one test, or nothing."""
    from _pytest.runner import runtestprotocol

    for report in runtestprotocol(item, log=False, nextitem=None):
        if report.failed:
            return str(report.longrepr)
    return ""


def write(mutant: str, verdict: str, killer: str) -> None:
    """Append one line: a run that is cut short keeps what it knows."""
    with VERDICTS.open("a") as file:
        file.write(json.dumps({"mutant": mutant, "verdict": verdict, "killer": killer}) + "\n")


def pytest_runtestloop(session: pytest.Session) -> bool:
    """In place of pytest's own loop."""
    if session.testsfailed or not Runner(session).run():
        raise session.Failed("the tests do not pass without a mutant")
    return True

"""The mutation run: its explanations are complete, and its tool changes nothing but the mutant."""

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULT = json.loads((ROOT / "benchmarks" / "results" / "mutation.json").read_text())
PAGE = (ROOT / "docs" / "mutants.md").read_text()
LINE = re.compile(r"^- `([^`]+)` `([^`]+)`: `(.+)`$", re.MULTILINE)

spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
mutate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mutate)


def test_every_survivor_is_explained_and_nothing_else_is() -> None:
    listed = Counter(LINE.findall(PAGE))
    survived = Counter((s["file"], s["function"], s["change"]) for s in RESULT["survivors"])
    assert survived - listed == Counter(), "not explained in docs/mutants.md"
    assert listed - survived == Counter(), "explained, but it does not survive any more"


def test_every_group_of_survivors_has_its_reason() -> None:
    for section in PAGE.split("\n## ")[1:]:
        title, *lines = section.splitlines()
        prose = [line for line in lines if line and not line.startswith(("- ", "|"))]
        assert prose, title


def test_the_figures_add_up() -> None:
    for row in [RESULT["total"], *RESULT["modules"]]:
        assert row["killed"] + row["survived"] + row["timeouts"] == row["mutants"]
        assert row["not_run"] == 0
    for name, total in RESULT["total"].items():
        assert sum(module.get(name, 0) for module in RESULT["modules"]) == total
    assert RESULT["total"]["survived"] == len(RESULT["survivors"])


def test_every_module_was_run_by_one_run() -> None:
    run = [module for one in RESULT["runs"] for module in one["modules"]]
    assert sorted(run) == sorted(row["module"] for row in RESULT["modules"])
    assert RESULT["seconds"] == sum(one["seconds"] for one in RESULT["runs"])


def test_a_run_of_some_modules_takes_the_place_of_what_was_known_of_them() -> None:
    def result(day: str, survived: int, *modules: str) -> dict:
        row = {"mutants": 5, "killed": 5 - survived, "survived": survived}
        run = {"date": day, "seconds": 7, "tests": [f"tests/{day}"], "modules": list(modules)}
        return {
            "tests": run["tests"],
            "seconds": 7,
            "total": {name: count * len(modules) for name, count in row.items()},
            "modules": [{"module": name, **row} for name in modules],
            "runs": [run],
            "survivors": [{"file": name} for name in modules] * survived,
        }

    found = mutate.merged(result("old", 1, "a.py", "c.py"), result("new", 0, "b.py", "c.py"))
    assert [(row["module"], row["survived"]) for row in found["modules"]] == [
        ("a.py", 1), ("b.py", 0), ("c.py", 0),
    ]  # fmt: skip
    assert found["total"] == {"mutants": 15, "killed": 14, "survived": 1}
    assert found["survivors"] == [{"file": "a.py"}]
    assert [(run["date"], run["modules"]) for run in found["runs"]] == [
        ("old", ["a.py"]), ("new", ["b.py", "c.py"]),
    ]  # fmt: skip
    assert (found["seconds"], found["tests"]) == (14, ["tests/old", "tests/new"])
    again = mutate.merged(found, result("last", 0, "a.py"))
    assert [run["date"] for run in again["runs"]] == ["new", "last"]


def survivor(number: int) -> dict:
    return {"file": "a.py", "function": "f", "number": number, "change": "x -> y"}


def test_survivors_are_judged_again_where_nothing_else_has_changed() -> None:
    row = {"module": "a.py", "mutants": 3, "skipped_by_rule": 1, "timeouts": 0}
    old = {"modules": [row], "survivors": [survivor(2), {**survivor(1), "file": "b.py"}]}
    exempt = {"file": "a.py", "verdict": "exempt"}
    found = [{**survivor(n), "mutant": f"a.f__{n}"} for n in (1, 2, 3)]
    assert mutate.survivors_of(old, [*found, exempt]) == ["a.f__2"]
    assert [mutant.get("verdict") for mutant in found] == ["killed", None, "killed"]
    again = [{**survivor(n), "mutant": f"a.f__{n}"} for n in (1, 2, 3)]
    changed = [again[0], {**again[1], "change": "x -> z"}, again[2]]
    for mutants, rows in (
        (again, [row]),  # one that was exempt is none any more
        ([*changed, exempt], [row]),
        ([*again, exempt], [{**row, "timeouts": 1}]),
        ([*again, exempt], []),
    ):
        with pytest.raises(SystemExit, match="without --again"):
            mutate.survivors_of({**old, "modules": rows}, mutants)


def test_a_run_again_is_added_to_the_one_that_it_completes() -> None:
    def result(survived: int, seconds: int, test: str) -> dict:
        row = {"module": "a.py", "mutants": 5, "killed": 5 - survived, "survived": survived}
        run = {"date": "day", "seconds": seconds, "tests": [test], "modules": ["a.py"]}
        return {
            "tests": [test], "seconds": seconds, "total": {k: row[k] for k in list(row)[1:]},
            "modules": [row], "runs": [run], "survivors": [{"file": "a.py"}] * survived,
        }  # fmt: skip

    found = mutate.merged(result(2, 40, "tests/a"), result(0, 3, "tests/b"), again=True)
    (run,) = found["runs"]
    assert (run["seconds"], found["seconds"]) == (43, 43)
    assert run["tests"] == found["tests"] == ["tests/a", "tests/b"]
    assert (found["total"]["killed"], found["survivors"]) == (5, [])


def test_what_is_said_of_the_figures_is_what_the_file_says() -> None:
    total = RESULT["total"]
    noticed, survived = total["killed"] + total["timeouts"], total["survived"]
    row = f"{noticed:,} of {total['mutants']:,} changes noticed; [the other {survived}]"
    assert row in (ROOT / "README.md").read_text()
    assert f"{noticed:,} of {total['mutants']:,} changes" in PAGE


MODULE = '''
import functools
from abc import abstractmethod


class Law:
    rate = 2

    @property
    def mean(self):
        """One over the rate."""
        return 1 / self.rate

    @staticmethod
    def name():
        return "law"

    @property
    @abstractmethod
    def mode(self): ...


@functools.singledispatch
def describe(value):
    return "something"


@describe.register
def _(value: int):
    return "a number"


@describe.register
def _(value: str):
    return "a word"
'''


def test_a_decorator_written_out_means_the_same() -> None:
    written = mutate.write_out_decorators(MODULE)
    assert re.findall(r"@\w+", written) == ["@staticmethod", "@property", "@abstractmethod"]
    for text in (MODULE, written):
        names: dict = {}
        exec(text, names)
        assert names["Law"]().mean == 0.5
        assert [names["describe"](value) for value in (1, "x", 1.0)] == [
            "a number", "a word", "something",
        ]  # fmt: skip


def test_each_constant_is_changed_once() -> None:
    found = mutate.constants(
        "A = -1.5\nclass B:\n    c: bool = True\n    d = 'x'\n    e: int\n", "m"
    )
    assert [(f["mutant"], f["change"]) for f in found] == [
        ("m::A", "A = -1.5 -> -0.5"),
        ("m:B:c", "c = True -> False"),
        ("m:B:d", "d = 'x' -> 'XXxXX'"),
    ]


def test_the_tool_is_pinned() -> None:
    name, version = RESULT["tool"].split()
    assert f"\n{name}=={version}\n" in (ROOT / "constraints.txt").read_text()

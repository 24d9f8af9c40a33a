"""Mutation run: change the library in one place at a time, and see whether a test notices.

mutmut makes the changes, on a copy of the tree; [tool.mutmut] in pyproject.toml says in which
modules, and which tests judge them; mutate_runner.py lets them. Two things are added to mutmut's
own, because most of a distribution is properties and most of an objective is a dataclass:

- a decorated function, which mutmut leaves alone, is written out in the copy first:

    @property                         def mean(self): ...
    def mean(self): ...       ->      mean = property(mean)

- a constant of a module or a class, a dataclass's default among them, is changed too: a number by
  one more, a truth value into the other, a word into another.

    python tools/mutate.py [--processes N] [--every N]
        [--files GLOB ... --tests PATH ... [--merge [--again]]]

writes benchmarks/results/mutation.json and prints the survivors; docs/mutants.md explains each of
them, and a test holds the two equal. With --merge the modules of --files take the place of what
the file had of them; its `runs` say when each module was run, by which tests and for how long.
With --every 10 one change in ten is judged, chosen by its name; `left_out` counts the others, and
the result is mutation-sample.json, whose survivors nobody has to explain.
With --again only the survivors of that file are judged, by tests that were added meanwhile: the
modules themselves must not have changed, nor may a test have gone.
"""

import argparse
import ast
import datetime
import difflib
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
COPIED = ["src", "tests", "pyproject.toml"]
#: Decorated functions that stay as they are: they have no body, or mutmut knows their decorator.
LEFT_ALONE = {"abstractmethod", "staticmethod", "classmethod", "overload"}
#: No test failed: none noticed, or none reaches the function.
SURVIVED = ("survived", "no tests")
#: Constants that are words for a reader, and lists of names.
NOT_CHANGED = {"formula", "__all__"}

Mutant = dict[str, Any]


def write_out_decorators(text: str) -> str:
    """The same module with `f = decorator(f)` after each function in place of `@decorator`."""
    lines, tree = text.splitlines(), ast.parse(text)
    for node in tree.body:  # a method more would be one more that a protocol asks for
        if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases):
            lines[node.lineno - 1] += "  # pragma: no mutate block"
    for node in reversed(_decorated(tree)):
        name = node.name
        if name == "_":  # implementations of a generic function share a name: tell them apart
            name = f"_{ast.unparse(node.args.args[0].annotation or ast.Name(str(node.lineno)))}"
            head = lines[node.lineno - 1]
            lines[node.lineno - 1] = head.replace("def _(", f"def {name}(", 1)
        applied = name
        for decorator in reversed(node.decorator_list):
            applied = f"{ast.unparse(decorator)}({applied})"
        indent = " " * node.col_offset
        lines.insert(node.end_lineno or node.lineno, f"{indent}{name} = {applied}")
        del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def _decorated(tree: ast.Module) -> list[ast.FunctionDef]:
    """Functions and methods, in order, that mutmut would leave alone for their decorators."""
    found = []
    for parent in ast.walk(tree):
        if isinstance(parent, (ast.Module, ast.ClassDef)):
            for node in parent.body:
                if isinstance(node, ast.FunctionDef) and node.decorator_list:
                    names = {ast.unparse(d).rsplit(".")[-1] for d in node.decorator_list}
                    if not names & LEFT_ALONE:
                        found.append(node)
    return sorted(found, key=lambda node: node.lineno)


def mutated_files(root: Path) -> list[Path]:
    """The files of `only_mutate`."""
    return sorted(
        path
        for pattern in CONFIG["only_mutate"]
        for path in root.glob(pattern)
        if path.suffix == ".py"
    )


def copy_tree(work: Path) -> None:
    """A fresh copy of what the run reads, decorators written out."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name in [*COPIED, *CONFIG.get("also_copy", [])]:
        source, ignore = ROOT / name, shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, work / name, ignore=ignore)
        else:
            shutil.copy(source, work / name)
    for path in mutated_files(work):
        path.write_text(write_out_decorators(path.read_text()))


def generate(work: Path) -> list[Mutant]:
    """Put all mutants of every file into the copy, each asleep until it is named."""
    from mutmut.configuration import config
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    found = []
    for path in mutated_files(work):
        name, text = str(path.relative_to(work)), path.read_text()
        found += [
            {**mutant, "file": name.removeprefix("src/lowerbound/")}
            for mutant in constants(text, get_mutant_name(Path(name), "").rstrip("."))
        ]
        patterns, config().do_not_mutate_patterns = config().do_not_mutate_patterns, []
        everything = len(mutate_file_contents(name, text).mutant_names)
        config().do_not_mutate_patterns = patterns
        made = mutate_file_contents(name, text)
        path.write_text(made.code)
        lines, spans = made.code.splitlines(), made.line_span_by_function_name
        for mutant in made.mutant_names:
            original, number = mutant.rsplit("__mutmut_", 1)
            before, after = (
                [
                    line.strip().replace(function, "")
                    for line in lines[spans[function].start - 1 : spans[function].end]
                ]
                for function in (f"{original}__mutmut_orig", mutant)
            )
            found.append(
                {
                    "mutant": get_mutant_name(Path(name), mutant),
                    "file": name.removeprefix("src/lowerbound/"),
                    "function": original.removeprefix("xǁ").removeprefix("x_").replace("ǁ", "."),
                    "number": int(number),
                    "change": change(before, after),
                }
            )
        exempt = everything - len(made.mutant_names)
        found += [{"file": name.removeprefix("src/lowerbound/"), "verdict": "exempt"}] * exempt
    return found


def constants(text: str, module: str) -> list[Mutant]:
    """A mutant for each number, truth value and word that a module or class body names."""
    found = []
    tree = ast.parse(text)
    owners = [("", tree), *((n.name, n) for n in tree.body if isinstance(n, ast.ClassDef))]
    for owner, node in owners:
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                target = statement.targets[0]
            elif isinstance(statement, ast.AnnAssign):
                target = statement.target
            else:
                continue
            try:
                value = ast.literal_eval(statement.value or ast.Constant(None))
            except ValueError:
                continue
            if ast.unparse(target) in NOT_CHANGED or not isinstance(value, (int, float, str)):
                continue
            found.append(
                {
                    "mutant": f"{module}:{owner}:{ast.unparse(target)}",
                    "function": owner or "the module",
                    "number": 0,
                    "change": f"{ast.unparse(target)} = {value!r} -> {another(value)!r}",
                }
            )
    return found


def another(value: float | str) -> float | str:
    """A value of the same kind."""
    if isinstance(value, bool):
        return not value
    return f"XX{value}XX" if isinstance(value, str) else value + 1


def change(before: list[str], after: list[str]) -> str:
    """`old -> new`, the lines that differ."""
    lines = list(difflib.ndiff(before, after))
    old, new = (
        " ".join(line[2:] for line in lines if line.startswith(sign)) for sign in ("- ", "+ ")
    )
    return f"{old} -> {new}"


def run(work: Path, names: list[str], processes: int) -> None:
    """Let the tests judge the mutants of these names."""
    (work / "plan.json").write_text(json.dumps(names))
    environment = {
        **os.environ,
        "MUTATION_PROCESSES": str(processes),
        "OMP_NUM_THREADS": "1",  # a fork must not inherit a pool of threads
        "PYTHONPATH": os.pathsep.join([str(work / "src"), str(ROOT / "tools")]),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", "-p", "mutate_runner"]
    command += ["--tb=native"]  # others parse the file around a failure: all mutants of a module
    command += [*CONFIG["pytest_add_cli_args"], *CONFIG["pytest_add_cli_args_test_selection"]]
    subprocess.run(command, cwd=work, env=environment, check=True)


def summary(mutants: list[Mutant], seconds: float) -> dict[str, Any]:
    """The figures by module, and the survivors."""
    modules: dict[str, Counter[str]] = {}
    for mutant in mutants:
        modules.setdefault(mutant["file"], Counter())[mutant.get("verdict", "not run")] += 1
    rows = [{"module": name, **figures(verdicts)} for name, verdicts in modules.items()]
    survivors = [mutant for mutant in mutants if mutant.get("verdict") in SURVIVED]
    return {
        "command": "make mutants",
        "tool": f"mutmut {importlib.metadata.version('mutmut')}",
        "tests": CONFIG["pytest_add_cli_args_test_selection"],
        "rule": "a line that matches do_not_mutate_patterns is exempt: the words of an error",
        "do_not_mutate_patterns": CONFIG["do_not_mutate_patterns"],
        "seconds": round(seconds),
        "total": figures(sum(modules.values(), Counter())),
        "modules": rows,
        "runs": [
            {
                "date": datetime.date.today().isoformat(),
                "seconds": round(seconds),
                "tests": CONFIG["pytest_add_cli_args_test_selection"],
                "modules": [row["module"] for row in rows],
            }
        ],
        "survivors": [
            {key: mutant[key] for key in ("file", "function", "number", "change")}
            for mutant in survivors
        ],
    }


def survivors_of(old: dict[str, Any], mutants: list[Mutant]) -> list[str]:
    """Names of those that survived in an earlier result; all others keep the verdict killed.

    Raises:
        SystemExit: The modules have changed since.
    """
    rows = {row["module"]: row for row in old["modules"]}
    for name, count in Counter(mutant["file"] for mutant in mutants).items():
        row = rows.get(name, {"mutants": 0, "skipped_by_rule": 0, "timeouts": 0})
        if count != row["mutants"] + row["skipped_by_rule"] or row["timeouts"]:
            raise SystemExit(f"{name} is not what was run, or had timeouts: run it without --again")
    survived = {tuple(survivor.values()) for survivor in old["survivors"]}
    names = []
    for mutant in mutants:
        if mutant.get("verdict") == "exempt":
            continue
        if tuple(mutant[key] for key in ("file", "function", "number", "change")) in survived:
            names.append(mutant["mutant"])
        else:
            mutant["verdict"] = "killed"
    modules = {mutant["file"] for mutant in mutants}
    if len(names) != sum(survivor["file"] in modules for survivor in old["survivors"]):
        raise SystemExit("the survivors are not those that were found: run without --again")
    return names


def merged(old: dict[str, Any], new: dict[str, Any], again: bool = False) -> dict[str, Any]:
    """The new result, and of the old one what the new run did not touch.

    A run `again` belongs to the one it completes: its seconds and tests are added to that.
    """
    touched = {row["module"] for row in new["modules"]}
    runs = [
        {**run, "modules": [name for name in run["modules"] if name not in touched]}
        for run in old["runs"]
    ]
    (latest,) = new["runs"]
    if again:
        earlier = [run for run in old["runs"] if touched & set(run["modules"])]
        whole = [run for run in earlier if touched >= set(run["modules"])]
        tests = [test for run in [*earlier, latest] for test in run["tests"]]
        seconds = sum(run["seconds"] for run in [*whole, latest])
        latest = {**latest, "seconds": seconds, "tests": list(dict.fromkeys(tests))}
    runs = [run for run in runs if run["modules"]] + [latest]
    rows = [row for row in old["modules"] if row["module"] not in touched] + new["modules"]
    total = {name: sum(row.get(name, 0) for row in rows) for name in new["total"]}
    survivors = [s for s in old["survivors"] if s["file"] not in touched] + new["survivors"]
    return {
        **new,
        "tests": list(dict.fromkeys(test for run in runs for test in run["tests"])),
        "seconds": sum(run["seconds"] for run in runs),
        "total": total,
        "modules": sorted(rows, key=lambda row: row["module"]),
        "runs": runs,
        "survivors": survivors,
    }


def figures(verdicts: Counter[str]) -> dict[str, int]:
    """Counts under the names of the result."""
    return {
        "mutants": sum(verdicts.values()) - verdicts["exempt"] - verdicts["left out"],
        "killed": verdicts["killed"],
        "survived": sum(verdicts[verdict] for verdict in SURVIVED),
        "timeouts": verdicts["timeout"],
        "not_run": verdicts["not run"],
        "skipped_by_rule": verdicts["exempt"],
        "left_out": verdicts["left out"],
    }


def main() -> None:
    """Copy, mutate, run, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(tempfile.gettempdir()) / "lowerbound-mutants"
    parser.add_argument("--work", type=Path, default=default, help="where the copy is made")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--files", nargs="+", help="mutate these instead; writes no result")
    parser.add_argument("--tests", nargs="+", help="judge by these instead; writes no result")
    parser.add_argument("--every", type=int, default=1, help="judge one change in so many")
    parser.add_argument("--merge", action="store_true", help="write these into the result")
    parser.add_argument("--again", action="store_true", help="judge survivors of the result only")
    options = parser.parse_args()
    CONFIG["only_mutate"] = options.files or CONFIG["only_mutate"]
    CONFIG["pytest_add_cli_args_test_selection"] = (
        options.tests or CONFIG["pytest_add_cli_args_test_selection"]
    )
    began = time.monotonic()
    copy_tree(options.work)
    os.chdir(options.work)  # where mutmut looks for its configuration
    mutants = generate(options.work)
    named = {m["mutant"]: m for m in mutants if "mutant" in m}
    place = ROOT / "benchmarks" / "results" / "mutation.json"
    old = json.loads(place.read_text()) if options.merge else {}
    for name, mutant in named.items():
        if zlib.crc32(name.encode()) % options.every:
            mutant["verdict"] = "left out"
    chosen = [name for name, mutant in named.items() if "verdict" not in mutant]
    names = survivors_of(old, mutants) if options.again else chosen
    run(options.work, names, options.processes)
    for line in (options.work / "verdicts.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        named[verdict["mutant"]]["verdict"] = verdict["verdict"]
    result = summary(mutants, time.monotonic() - began)
    for survivor in result["survivors"]:
        print("{file}: {function} {number}: {change}".format(**survivor))
    print(result["total"])
    if options.merge:
        result = merged(json.loads(place.read_text()), result, again=options.again)
    sampled = options.every > 1
    if sampled or options.merge or not (options.files or options.tests):
        sys.path.insert(0, str(ROOT / "benchmarks"))
        from results import write

        if sampled:
            result["command"] = shlex.join(["python", "tools/mutate.py", *sys.argv[1:]])
        print(write("mutation-sample" if sampled else "mutation", result))


if __name__ == "__main__":
    main()

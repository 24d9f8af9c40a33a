"""The command line: one command a file; torch is imported inside commands only."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from lowerbound.cli.console import complain, leave_the_pipe, prepare_streams
from lowerbound.cli.failures import describe_failure
from lowerbound.cli.ranks import taking_part, where

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; those of the process if None.

    Returns:
        The exit code: 0 done, 1 failed, 2 misused, 128 + N ended by signal N.
    """
    # threads that wait asleep: beside other work on all cores, spinning ones starve each other
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug, arguments = _without_debug(arguments)
    prepare_streams()
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            with taking_part(arguments) as here:
                code = _run(arguments or ["--help"]) if here else 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return leave_the_pipe()
    except BaseException as error:
        if debug:
            traceback.print_exc()
        line, code = describe_failure(error)
        place = where(error)
        if line and place is not None:
            complain(place + line)
        return code


def _run(arguments: list[str]) -> int:
    import typer
    from typer.main import get_command

    from lowerbound.cli.app import app

    command = get_command(app)
    try:
        with command.make_context("lowerbound", arguments) as context:
            command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    return 0


def _without_debug(arguments: list[str]) -> tuple[bool, list[str]]:
    """Tell whether --debug is among the options, before or after the command; give the rest."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(options) < end, options + arguments[end:]

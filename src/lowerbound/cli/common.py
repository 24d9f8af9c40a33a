"""Options that several commands share, and how their text is read."""

import re
from collections.abc import Callable, Container
from dataclasses import fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.runs import Run

Options = TypeVar("Options")

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a trained run.")]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Of the random draws; a fresh one if left out."),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:N, mps; auto: cuda if there."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout instead.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Stream = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Leave the data on disk while training; on where it is too large for memory.",
    ),
]


def command_of(
    options: type[Options], run: Callable[[typer.Context, Options], None]
) -> Callable[..., None]:
    """Make a command whose parameters are the fields of a dataclass, of which `run` gets one.

    Its help is the docstring of `run`.
    """

    def command(context: typer.Context, **values: Any) -> None:
        run(context, options(**values))

    hints: dict[str, Any] = {
        "context": typer.Context, **get_type_hints(options, include_extras=True)
    }  # fmt: skip
    defaults = {"context": Parameter.empty, **{f.name: f.default for f in fields(options)}}  # type: ignore[arg-type]
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
            for name, default in defaults.items()
        ]
    )
    command.__annotations__, command.__doc__ = hints, run.__doc__
    return command


def option(name: str, metavar: str | None, help: str) -> typer.models.OptionInfo:
    """Describe an option of a command."""
    return typer.Option(name, metavar=metavar, help=help)


def out_option(help: str) -> typer.models.OptionInfo:
    """Describe the option that says where a result goes."""
    return typer.Option("--out", "-o", metavar="PATH", help=help)


def settings_from(pairs: list[str]) -> dict[str, str]:
    """Read settings from "key=value" texts."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise SettingError(f"--set takes key=value, got {pair!r}; such as --set hidden=256,256")
        if key in found:
            raise SettingError(f"--set gives {key!r} twice; give it once")
        found[key] = value.strip()
    return found


def device_of(name: str) -> str:
    """Find the device that `name` means, and refuse one that this machine has not."""
    import torch

    from lowerbound.processes.launch import local_device, told

    own = local_device() if told() else None
    if own is not None and name in ("auto", "cuda"):
        return own
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if name == "auto":
        return "cuda" if len(there) > 1 and there[1].startswith("cuda") else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,4})?", name):
        raise SettingError(f"no device {name!r}; available here: {', '.join(there)}")
    if name in there or (name == "cuda" and "cuda:0" in there):
        return name
    raise SettingError(f"device {name!r} is not available; available here: {', '.join(there)}")


def seed_of(seed: int | None) -> int:
    """Check a seed; without one, draw it afresh, the same one for several processes."""
    from lowerbound.processes import current
    from lowerbound.seeding import fresh_seed

    if seed is None:
        return int(current().tell(str(fresh_seed()))[0])
    if not 0 <= seed < 2**63:
        raise SettingError(f"--seed must be a whole number in [0, 2^63), got {seed}")
    return seed


def given(context: typer.Context, name: str) -> bool:
    """Tell whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_beside(context: typer.Context, option: str, allowed: Container[str], why: str) -> None:
    """Refuse all parameters but the `allowed` ones beside an option, and say `why`."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in allowed and given(context, name):
            shown = getattr(parameter, "metavar", None) or name.upper()
            if parameter.param_type_name == "option":
                shown = parameter.opts[0]
            raise SettingError(f"{option} {why}; leave {shown} out")


def open_run(path: Path, device: str = "cpu", *, refitted: bool = True) -> "Run":
    """Load a run onto a device."""
    from lowerbound.runs import load

    return load(path, device=device_of(device), refitted=refitted)

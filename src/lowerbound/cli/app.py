"""All commands, in the order in which a person meets them."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lowerbound.cli import (
    anomalies,
    catalogue,
    certify,
    compare,
    data,
    decode,
    doctor,
    encode,
    evaluate,
    explore,
    export,
    fit,
    generate,
    impute,
    interpolate,
    pack,
    pool,
    reconstruct,
    refit,
    report,
    reproduce,
    score,
    serve,
    traverse,
)
from lowerbound.cli.common import option
from lowerbound.cli.console import say

HELP = """Variational autoencoders: train one on your data, know how good it is, put it to use.

\b
Examples:
  lowerbound data fashion-small                 what would be learned from
  lowerbound fit fashion-small --out runs/one   train, evaluate, report
  lowerbound generate runs/one --count 64       new examples in samples.png
  lowerbound evaluate runs/one --json           bounds on log p(x) as JSON

DATA is a named set; a folder or .zip of images, arrays, tables or tunes (.mid); a folder that data
pack wrote; a .csv, .tsv, .parquet, .feather, .jsonl, .npy, .npz, .safetensors, .h5ad, .ts or
picture file of many pages; or texts: lines of .txt, .smi or .fasta, a column as table.csv#column.

Exit codes: 0 done, 1 failed, 2 misused, 130 interrupted, 143 terminated.
"""


def _version(wanted: bool) -> None:
    if wanted:
        from lowerbound._version import __version__

        say(f"lowerbound {__version__}")
        raise typer.Exit


class Commands(TyperGroup):
    """The commands in their order: data comes first, a group though it is."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name them."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "data")


# Plain help: rich's would cost a third of a second and wrap the examples.
app = typer.Typer(
    name="lowerbound",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


@app.callback(help=HELP)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, option("--debug", None, "Show the traceback of an error; works after a command too.")
    ] = False,
) -> None:
    """Take the options of the whole program; `main` has already acted on --debug."""


_COMMANDS: tuple[tuple[str, Any, str], ...] = (
    ("catalogue", catalogue, "The recipes for --model, and their settings."),
    ("fit", fit, "Train a model on data, evaluate it, report."),
    ("evaluate", evaluate, "How good a run is, with standard errors."),
    ("score", score, "The bound of each row, as a table."),
    ("anomalies", anomalies, "The rows that do not fit, and which of their cells are odd."),
    ("compare", compare, "Which of several runs is better, and how sure that is."),
    ("doctor", doctor, "Faults of a run, and remedies."),
    ("certify", certify, "Whether parts keep their promises, in numbers."),
    ("reproduce", reproduce, "A published figure, and ours beside it."),
    ("refit", refit, "A better prior for a run: samples from where encodings lie."),
    ("report", report, "Write the report of a run again."),
    ("generate", generate, "Make new examples."),
    ("impute", impute, "Fill the gaps of a table."),
    ("pool", pool, "One answer from analyses of several imputed tables."),
    ("reconstruct", reconstruct, "Encode examples and decode them again."),
    ("encode", encode, "From examples to latent vectors."),
    ("decode", decode, "From latent vectors to examples."),
    ("interpolate", interpolate, "The way from one example to another."),
    ("traverse", traverse, "The effect of single latent units."),
    ("explore", explore, "A page to play with it."),
    ("serve", serve, "Its uses over HTTP."),
    ("export", export, "Its networks as ONNX."),
)


def _help(command: Callable[..., None]) -> str:
    r"""Take the help of a command from its docstring; \b keeps the lines of examples apart."""
    return (inspect.getdoc(command) or "").replace("Examples:\n", "\b\nExamples:\n")


_data = typer.Typer(cls=data.DataGroup, rich_markup_mode=None)
_data.callback(invoke_without_command=True)(data.command)
_data.command("pack", help=_help(pack.command), short_help="Make packed rows of it.")(pack.command)
app.add_typer(
    _data,
    name="data",
    help=_help(data.command),
    short_help="Kind and size of data, and the choices for it.",
)
for _name, _module, _about in _COMMANDS:
    app.command(_name, help=_help(_module.command), short_help=_about)(_module.command)

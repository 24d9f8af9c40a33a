"""`lowerbound export`: the networks of a run for other programs."""

from pathlib import Path
from typing import Annotated

from lowerbound.cli.common import Force, RunPath, open_run, option, out_option
from lowerbound.errors import OutputError, UnknownNameError


def command(
    path: RunPath,
    to: Annotated[str, option("--to", "FORMAT", "onnx.")] = "onnx",
    out: Annotated[Path | None, out_option("Folder; NAME-onnx beside the run if left out.")] = None,
    force: Force = False,
) -> None:
    """Write encoder.onnx, decoder.onnx and score.onnx, which run without torch.

    The encoder gives the centres of q(z|x), the decoder the means of p(x|z), the score the log of
    p(x, z) / q(z|x) at the z that given noise makes; all take any number of examples. The schema,
    the recipe and the formula of the bound are in the files' metadata. A part that no ONNX graph
    holds is left out, and it is said why.

    Examples:
      lowerbound export runs/one --to onnx
      lowerbound export runs/one --to onnx --out model
    """
    if to != "onnx":
        raise UnknownNameError("format", to, ("onnx",))
    from lowerbound.cli.console import say, warn, working

    folder = path.with_name(f"{path.name}-onnx") if out is None else out
    there = [
        name for name in ("encoder.onnx", "decoder.onnx", "score.onnx") if (folder / name).exists()
    ]
    if there and not force:
        raise OutputError(f"{folder / there[0]} is there already; add --force to overwrite it")
    run = open_run(path, "cpu")
    from lowerbound.runs.onnx import export_onnx

    with working("exporting"):
        found = export_onnx(run, folder)
    for why in found.missing:
        warn(why)
    for file in found.files:
        say(file)

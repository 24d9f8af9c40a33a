"""Encoder and decoder of a run as ONNX files, for programs without torch (extra `onnx`)."""

import json
import logging
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.core import Batch, Model, flatten, unflatten
from lowerbound.distributions import expected
from lowerbound.errors import MissingExtraError, SupportError
from lowerbound.runs.files import write_atomically
from lowerbound.runs.load import Run


class _Encoder(nn.Module):
    """x, and which cells are known where there may be gaps, to the centre of q(z|x)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        return flatten(self.model.encode(Batch(x, observed)).latents, self.model.latents)


class _Decoder(nn.Module):
    """z to the mean of p(x|z), or the most probable class."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        return expected(self.model.decode(unflatten(z, self.model.latents)))


def export_onnx(run: Run, folder: Path) -> tuple[Path, Path]:
    """Write `encoder.onnx` and `decoder.onnx`, for any number of examples at a time.

    The encoder takes `x` `(N, *event)` as stored, floats of the run's precision, and `observed`,
    bools of the same shape, where the data may have gaps; it gives `z` `(N, D)`, the centres of
    q(z|x). The decoder takes `z` and gives `x`, the mean of p(x|z) or the most probable class.
    The metadata hold schema, recipe and formulas.

    Raises:
        MissingExtraError: onnx is not installed.
        SupportError: The model cannot be exported; says why.
    """
    for name in ("onnx", "onnxscript"):
        if find_spec(name) is None:
            raise MissingExtraError("export", name, "onnx")
    schema, model = run.schema, run.model.cpu().eval()
    if schema.is_text:
        raise SupportError(
            "a decoder of texts writes byte after byte, in a loop that no ONNX graph holds; "
            "use `lowerbound serve`"
        )
    dtype = schema.dtype if schema.dtype.is_floating_point else torch.get_default_dtype()
    x = run.model.sample(2).law.sample().to(dtype)
    inputs = {"x": x}
    if schema.missing:
        inputs["observed"] = torch.ones_like(x, dtype=torch.bool)
    units = sum(space.units for space in model.latents.values())
    about = {
        "schema": json.dumps(schema.to_json()), "recipe": run.spec.recipe,
        "formula": run.objective.formula,
        "latents": json.dumps({name: list(s.shape) for name, s in model.latents.items()}),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    encoder, decoder = folder / "encoder.onnx", folder / "decoder.onnx"
    _write(_Encoder(model), inputs, "z", encoder, about)
    _write(_Decoder(model), {"z": torch.zeros(2, units)}, "x", decoder, about)
    return encoder, decoder


@torch.no_grad()
def _write(
    part: nn.Module, inputs: dict[str, Tensor], output: str, path: Path, about: dict[str, Any]
) -> None:
    batch = torch.export.Dim("batch", min=1)
    with _quietly():
        try:
            program = torch.onnx.export(
                part.eval(), tuple(inputs.values()), dynamo=True, verbose=False,
                input_names=list(inputs), output_names=[output],
                dynamic_shapes=tuple({0: batch} for _ in inputs),
            )  # fmt: skip
        except Exception as error:
            name = type(part).__name__.removeprefix("_").lower()
            why = str(error.__cause__ or error).strip().splitlines()[0][:200]
            raise SupportError(f"the {name} cannot be exported to ONNX: {why}") from error
    found = cast(Any, program).model_proto
    for key, value in about.items():
        entry = found.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, found.SerializeToString())


@contextmanager
def _quietly():  # type: ignore[no-untyped-def]
    """Leave out checks of values, which no graph can hold, and torch's remarks."""
    checks, loggers = Distribution._validate_args, [logging.getLogger("torch.onnx")]  # pyright: ignore[reportPrivateUsage]
    loggers += [logging.getLogger(name) for name in ("torch.fx", "torch.export", "onnxscript")]
    levels = [one.level for one in loggers]
    Distribution._validate_args = False  # pyright: ignore[reportPrivateUsage]
    for one in loggers:
        one.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Distribution._validate_args = checks  # pyright: ignore[reportPrivateUsage]
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)

"""Encoder, decoder and score of a run as ONNX files, for programs without torch (extra `onnx`)."""

import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from lowerbound.core import Batch, Model, flatten, unflatten
from lowerbound.distributions import expected
from lowerbound.errors import MissingExtraError, SupportError
from lowerbound.runs.files import write_atomically
from lowerbound.runs.load import Run
from lowerbound.seeding import seeded


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


class _Score(nn.Module):
    """x and noise to log p(x, z) - log q(z|x) at z = mean + noise * scale, group by group."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, noise: Tensor, observed: Tensor | None = None) -> Tensor:
        given = unflatten(noise.unsqueeze(0), self.model.latents)

        def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
            base = q.base_dist if isinstance(q, Independent) else q
            if not isinstance(base, Normal):
                raise SupportError(f"q of group '{name}' is not normal: no scale makes its draws")
            return base.loc + base.scale * given[name], q

        return self.model.trace_by(pick, Batch(x, observed)).log_weight.squeeze(0)


@dataclass(frozen=True)
class Exported:
    """Files that were written.

    Attributes:
        files: In the order encoder, decoder, score.
        missing: Of each part that cannot be exported, a sentence that says why.
    """

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def export_onnx(run: Run, folder: Path) -> Exported:
    """Write `encoder.onnx`, `decoder.onnx` and `score.onnx`, for any number of examples at a time.

    The encoder takes `x` `(N, *event)` as stored, floats of the run's precision, and `observed`,
    bools of the same shape, where the data may have gaps; it gives `z` `(N, D)`, the centres of
    q(z|x). The decoder takes `z` and gives `x`, the mean of p(x|z) or the most probable class. The
    score takes `x`, standard normal `noise` `(N, D)` and `observed`; it gives `log_weight` `(N,)`,
    log p(x, z) - log q(z|x) in nats at the z that the noise makes. Its mean over draws of the
    noise is the ELBO, the log of the mean of its exponential the importance-weighted bound.
    The metadata hold schema, recipe and formulas.

    Raises:
        MissingExtraError: onnx is not installed.
        SupportError: No part can be exported; says why.
    """
    for name in ("onnx", "onnxscript"):
        if find_spec(name) is None:
            raise MissingExtraError("export", name, "onnx")
    schema, model = run.schema, run.model.cpu().eval()
    if schema.is_sequence:
        raise SupportError(
            "texts and tunes are read and written token after token, in loops that no ONNX graph "
            "holds; use `lowerbound serve`"
        )
    if schema.told:
        raise SupportError("a conditional model is told classes, which the files have no input for")
    dtype = schema.dtype if schema.dtype.is_floating_point else torch.get_default_dtype()
    with seeded(0):
        x = model.sample(2).law.sample().to(dtype)
    inputs = {"x": x}
    observed = {"observed": torch.ones_like(x, dtype=torch.bool)} if schema.missing else {}
    units = sum(space.units for space in model.latents.values())
    z = torch.zeros(2, units)
    about = {
        "schema": json.dumps(schema.to_json()), "recipe": run.spec.recipe,
        "formula": run.objective.formula,
        "latents": json.dumps({name: list(s.shape) for name, s in model.latents.items()}),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    files, missing = [], []
    parts = (
        (_Encoder(model), {**inputs, **observed}, "z"),
        (_Decoder(model), {"z": z}, "x"),
        (_Score(model), {**inputs, "noise": z, **observed}, "log_weight"),
    )
    for part, given, output in parts:
        name = type(part).__name__.removeprefix("_").lower()
        file = folder / f"{name}.onnx"
        try:
            _write(part, given, output, file, about)
            files.append(file)
        except SupportError as error:
            missing.append(str(error))
    if not files:
        raise SupportError(missing[0])
    return Exported(tuple(files), tuple(missing))


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
            raise SupportError(
                f"the {path.stem} cannot be exported to ONNX: {_reason(error)}"
            ) from error
    found = cast(Any, program).model_proto
    if any(not one.type.tensor_type.shape.dim[0].dim_param for one in found.graph.input):
        raise SupportError(
            f"the {path.stem} cannot be exported to ONNX: its graph holds for a fixed number of "
            "examples alone"
        )
    for key, value in about.items():
        entry = found.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, found.SerializeToString())


def _reason(error: BaseException) -> str:
    """Take the first line of the cause that lies deepest."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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

"""Weights as safetensors, with a checksum, loaded only into a model they fit."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lowerbound.errors import RunError
from lowerbound.runs.files import write_atomically


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors, with the sha256 of their contents in the header.

    Raises:
        OutputError: The place cannot be written; what was there before is untouched.
    """
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    metadata = {"format": "lowerbound-weights", "sha256": _digest(plain)}
    write_atomically(path, _ordered(save(plain, metadata)))


def _ordered(data: bytes) -> bytes:
    """The same file with its metadata in one order: the same weights give the same bytes."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) > size:  # written in another way than we know: as it is, it is right
        return data
    return b"".join((data[:8], text.ljust(size), memoryview(data)[8 + size :]))


def read_weights(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors that a model expects, checking names, shapes, types and checksum.

    Args:
        path: A file that `write_weights` wrote.
        expected: Tensors (also on the meta device) that say which names, shapes and types.

    Returns:
        The tensors, on the CPU.

    Raises:
        RunError: The file is missing, truncated, foreign, damaged, or fits another model.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: the run is not complete; fit it again")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != "lowerbound-weights":
                raise RunError(f"{path} was not written by lowerbound; fit the model again")
            _compare(path, file, expected)
            tensors = {name: file.get_tensor(name) for name in expected}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path} is truncated or damaged; restore it, or fit again") from error
    if _digest(tensors) != metadata.get("sha256"):
        raise RunError(f"{path} is damaged: its checksum is wrong; restore it, or fit again")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{path} holds numbers that are not finite in '{name}'; fit again")
    return tensors


def load_weights(model: nn.Module, path: Path) -> None:
    """Put the weights of a file into a model of the same make.

    Raises:
        RunError: As `read_weights`.
    """
    model.load_state_dict(read_weights(path, model.state_dict()))


def _compare(path: Path, file, expected: Mapping[str, Tensor]) -> None:  # type: ignore[no-untyped-def]
    names = set(file.keys())
    if names != set(expected):
        odd = sorted(names ^ set(expected))[0]
        raise RunError(f"{path} fits another model: '{odd}' is in only one of them; fit again")
    for name, tensor in expected.items():
        shape = tuple(file.get_slice(name).get_shape())
        if shape != tuple(tensor.shape):
            raise RunError(
                f"{path} fits another model: '{name}' is {shape}, the model's is "
                f"{tuple(tensor.shape)}; fit again"
            )
        kind = _KINDS.get(file.get_slice(name).get_dtype())
        if kind != tensor.dtype:
            raise RunError(f"{path} fits another model: '{name}' has another number type")


_KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()

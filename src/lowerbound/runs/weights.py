"""Weights as safetensors, with a checksum, loaded only into a model they fit."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lowerbound.errors import RunError
from lowerbound.runs.files import write_atomically


def write_weights(path: Path, tensors: Mapping[str, Tensor], **more: str) -> None:
    """Write named tensors, with the sha256 of their contents in the header.

    A tensor that has several names, because two parts of a model share it, is written once; the
    header says which names are one.

    Args:
        **more: Further texts for the header.
    """
    tied = ties(tensors)
    plain = {n: t.detach().cpu().contiguous() for n, t in tensors.items() if n not in tied}
    metadata = {"format": "lowerbound-weights", "sha256": _digest(plain, tied)}
    metadata |= more
    if tied:
        metadata["tied"] = json.dumps(tied, sort_keys=True)
    write_atomically(path, _ordered(save(plain, metadata)))


def ties(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the names of tensors that are another name's, each with that other name.

    On the meta device, where no tensor has a place, tensors are one if they are one object: as
    `state_dict(keep_vars=True)` gives them.

    Example:
        >>> one = torch.zeros(3)
        >>> ties({"a": one, "b": one, "c": torch.zeros(3)})
        {'b': 'a'}
    """
    first: dict[tuple[Any, ...], str] = {}
    found: dict[str, str] = {}
    for name, tensor in tensors.items():
        if tensor.numel() == 0:
            continue
        where = id(tensor) if tensor.is_meta else tensor.data_ptr()
        place = (where, tensor.dtype, tuple(tensor.shape), tensor.stride())
        if place in first:
            found[name] = first[place]
        else:
            first[place] = name
    return found


def _ordered(data: bytes) -> bytes:
    """Put the metadata of a file into one order: the same weights give the same bytes."""
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
        expected: Tensors (also on the meta device) that say which names, shapes and types, and
            which names are one: a file may tie these and no others.

    Returns:
        The tensors, on the CPU.

    Raises:
        RunError: The file is missing, truncated, foreign, damaged, or fits another model.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: the run is not complete; fit it again")
    with _opened(path) as (file, metadata):
        tied = _tied(path, metadata, ties(expected))
        _compare(path, file, {n: t for n, t in expected.items() if n not in tied})
        tensors = {name: file.get_tensor(name) for name in expected if name not in tied}
    if _digest(tensors, tied) != metadata.get("sha256"):
        raise RunError(f"{path} is damaged: its checksum is wrong; restore it, or fit again")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{path} holds numbers that are not finite in '{name}'; fit again")
    return {name: tensors[tied.get(name, name)] for name in expected}


def _tied(path: Path, metadata: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Read the names that the header says are another name's; believe it where the model agrees."""
    tied = json.loads(metadata.get("tied", "{}"))
    if not isinstance(tied, dict):
        raise ValueError("tied names are no names")
    for name, other in tied.items():
        if known.get(name) != other:
            raise RunError(
                f"{path} fits another model: '{name[:100]}' is tied in only one of them; fit again"
            )
    return tied


def read_header(path: Path) -> dict[str, str]:
    """Read the header of a file of weights."""
    with _opened(path) as (_, metadata):
        return metadata


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Open a file of weights, with its header; any fault of it is a `RunError`."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != "lowerbound-weights":
                raise RunError(f"{path} was not written by lowerbound; fit the model again")
            yield file, dict(metadata)
    except RunError:
        raise
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise RunError(f"{path} is truncated or damaged; restore it, or fit again") from error


def load_weights(model: nn.Module, path: Path) -> None:
    """Put the weights of a file into a model of the same make; see `read_weights`."""
    model.load_state_dict(read_weights(path, model.state_dict(keep_vars=True)))


def _compare(path: Path, file: Any, expected: Mapping[str, Tensor]) -> None:
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
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def _digest(tensors: Mapping[str, Tensor], tied: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(tied, sort_keys=True).encode() if tied else b"")
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()

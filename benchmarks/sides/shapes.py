"""Networks and data that all sides share. It needs torch and numpy alone: every side imports it."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """What is trained, the same on every side.

    Args:
        name: Of the case.
        network: "mlp" or "convolutional".
        shape: Of one example.
        latents: Units of z.
        hidden: Widths of the encoder's hidden layers; the decoder has them reversed.
        likelihood: "bernoulli", "gaussian" (of standard deviation 1), "learned" (a standard
            deviation for each column, learned).
        samples: Draws of z for each example; more than 1 is IWAE.
        batch: Examples in an update.
        rows: Training examples.
        epochs: Passes over them.
        rate: Learning rate of Adam, constant.
        threads: Of torch.
        clip: Longest gradient, or None.
        average: Decay of the averaged weights, or None.
        compile: Whether lowerbound compiles: "on", "off", or "auto" as it chooses itself.
        precision: Of lowerbound: "auto", as it chooses itself, or "float32".
        warm: Whether one update, untimed, comes before.
        seed: Of the weights that every side begins with, and of its own shuffling and noise.
    """

    name: str
    network: str
    shape: tuple[int, ...]
    latents: int
    hidden: tuple[int, ...]
    likelihood: str
    samples: int
    batch: int
    rows: int
    epochs: int
    rate: float = 1e-3
    threads: int = 2
    clip: float | None = None
    average: float | None = None
    compile: str = "auto"
    precision: str = "auto"
    warm: bool = True
    seed: int = 0

    def write(self, path: Path) -> None:
        """Put it into a file."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: str) -> "Case":
        """Take it from a file."""
        found = json.loads(Path(path).read_text())
        return cls(**{**found, "shape": tuple(found["shape"]), "hidden": tuple(found["hidden"])})

    @property
    def cells(self) -> int:
        """Numbers in one example."""
        return int(np.prod(self.shape))


def layers(widths: list[int]) -> list[nn.Module]:
    """Linear maps with ReLU between them."""
    found: list[nn.Module] = []
    for before, after in pairwise(widths):
        found += [nn.Linear(before, after), nn.ReLU()]
    return found[:-1]


@contextmanager
def beginning(case: Case, part: int) -> Iterator[None]:
    """Inside, layers are made with the same weights on every side; the random state stays."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(2 * case.seed + part)
        yield


def encoder(case: Case) -> nn.Sequential:
    """x, `(B, *shape)` float, to `(B, 2 latents)`: the mean, then what the scale is made of."""
    with beginning(case, 0):
        return _encoder(case)


def decoder(case: Case) -> nn.Sequential:
    """z, `(N, latents)`, to logits or means, `(N, *shape)`."""
    with beginning(case, 1):
        return _decoder(case)


def _encoder(case: Case) -> nn.Sequential:
    if case.network == "mlp":
        widths = [case.cells, *case.hidden, 2 * case.latents]
        return nn.Sequential(nn.Flatten(), *layers(widths))
    stages, side = [], case.shape[-1]
    channels = [case.shape[0], *case.hidden]
    for before, after in pairwise(channels):
        stages += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        side //= 2
    flat = channels[-1] * side * side
    return nn.Sequential(*stages, nn.Flatten(), nn.Linear(flat, 2 * case.latents))


def _decoder(case: Case) -> nn.Sequential:
    if case.network == "mlp":
        widths = [case.latents, *case.hidden[::-1], case.cells]
        return nn.Sequential(*layers(widths), nn.Unflatten(-1, case.shape))
    side = case.shape[-1] // 2 ** len(case.hidden)
    channels = [*case.hidden[::-1], case.shape[0]]
    stages: list[nn.Module] = [
        nn.Linear(case.latents, channels[0] * side * side),
        nn.ReLU(),
        nn.Unflatten(-1, (channels[0], side, side)),
    ]
    for before, after in pairwise(channels):
        stages += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*stages[:-1])


def load(path: str) -> tuple[Tensor, Tensor]:
    """Training and held-out examples as they were stored."""
    with np.load(path) as stored:
        return torch.from_numpy(stored["train"]), torch.from_numpy(stored["held_out"])


def weights(path: str, networks: tuple[nn.Module, nn.Module], **more: Tensor) -> None:
    """Write the weights of encoder and decoder under the names that `shapes` gives them."""
    found = {
        f"{part}.{name}": tensor.detach().numpy()
        for part, network in zip(("encoder", "decoder"), networks, strict=True)
        for name, tensor in network.state_dict().items()
    }
    np.savez(path, **found, **{name: tensor.detach().numpy() for name, tensor in more.items()})


def peak_mib() -> float:
    """The most memory that this program had at once; not, as `getrusage` has it, its parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def timed(**uses: Callable[[], Any]) -> None:
    """Print the best of three times of each use, and the peak memory, as JSON."""
    found: dict[str, float] = {}
    for name, use in uses.items():
        times = []
        for _ in range(3):
            began = time.perf_counter()
            use()
            times.append(time.perf_counter() - began)
        found[name] = min(times)
    print(json.dumps({**found, "peak_mib": round(peak_mib())}))


def run(train: Callable[[Case, Tensor, Tensor], Callable[[str], Any]]) -> None:
    """The main program of a side: CASE DATA WEIGHTS; prints seconds and peak memory as JSON.

    Args:
        train: Trains on `(case, train, held_out)` and gives a function that writes the weights.
            Its `ends`, if it has them, are the seconds from the start to the end of each epoch,
            its `precision` what the products were computed in.
    """
    case, (examples, held_out) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    if case.warm:  # what a process does once is done: imports, above all
        train(replace(case, epochs=1), examples[: case.batch], held_out[:2])
    torch.manual_seed(case.seed)
    began = time.perf_counter()
    keep = train(case, examples, held_out)
    seconds = time.perf_counter() - began
    keep(sys.argv[3])
    found = {"seconds": seconds, "peak_mib": round(peak_mib())}
    told = {name: getattr(keep, name) for name in ("ends", "precision") if hasattr(keep, name)}
    print(json.dumps(found | told))

"""What a CUDA device makes of training: one command, nothing beyond the core, within ten minutes.

    PYTHONPATH=src python3 benchmarks/gpu.py [--data FILE.npz]

Case a: the MLP 784-400-400-20 in batches of 128, by `fit` as it is and compiled with whole passes
captured, against a loop as most libraries have it (a DataLoader, a loss read in every update) and,
where it is installed, pythae. Case e: a large MLP in float32 and bfloat16 against the rate of a
matrix product measured beside it. Memory: a convolutional pair for large images, with and without
activation checkpointing. Also whether skipped batches are seen, and whether a resumed run is equal.
"""

import argparse
import copy
import statistics
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import results
import torch
from sides.shapes import Case, decoder, encoder
from sides.with_lowerbound import build, schema_of
from sides.with_torch import loss_of
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema

CUDA = torch.device("cuda")
SMALL = Case(
    "a", "mlp", (1, 28, 28), 20, (400, 400), "bernoulli", samples=1, batch=128, rows=60_000,
    epochs=3,
)  # fmt: skip
LARGE = replace(SMALL, name="e", hidden=(8192, 8192, 8192), latents=64, batch=4096, epochs=4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="an .npz with binary images `train`; noise if left out")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here")
    record: dict[str, Any] = {"compares": "see the script", "seed": 0, "turns": 3}
    x = images(given.data)
    for name, part in {
        "equal": lambda: equal(x),
        "small": lambda: small(x),
        "large": lambda: large(x),
        "memory": memory,
    }.items():
        try:
            record[name] = part()
        except Exception as error:  # the other parts are worth having
            record[name] = {"failed": f"{type(error).__name__}: {error}"[:500]}
        print(name, record[name], flush=True)
        results.write("gpu", record)


def images(path: str | None) -> Tensor:
    """Training rows of case a."""
    if path is None:
        generator = torch.Generator().manual_seed(0)
        return (torch.rand(60_000, 1, 28, 28, generator=generator) < 0.13).to(torch.uint8)
    with np.load(path) as stored:
        return torch.from_numpy(stored["train"]).reshape(-1, 1, 28, 28).to(torch.uint8)


def fitted(case: Case, x: Tensor, **settings: Any) -> tuple[float, lb.VAE, Any]:
    """Seconds of a fit after a short one that loads kernels, the model, and what `fit` gave."""
    parts = [Examples(x), Examples(x[:1000]), Examples(x[:1000])]
    data = Data(schema_of(case), *parts, source=case.name)
    training = lb.Training(
        epochs=case.epochs, batch_size=case.batch, learning_rate=case.rate, **settings
    )
    first = build(case)
    lb.fit(copy.deepcopy(first), lb.ELBO(), data, replace(training, epochs=1), seed=0, device=CUDA)
    torch.cuda.synchronize()
    began = time.perf_counter()
    fit = lb.fit(first, lb.ELBO(), data, training, seed=0, device=CUDA)
    torch.cuda.synchronize()
    return time.perf_counter() - began, first, fit


def usual_loop(case: Case, x: Tensor) -> float:
    """Seconds of the loop that most libraries have."""
    networks = encoder(case).to(CUDA), decoder(case).to(CUDA)
    parameters = [p for network in networks for p in network.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=case.rate)
    loader = DataLoader(TensorDataset(x.float()), batch_size=case.batch, shuffle=True)
    scale = torch.zeros(case.shape, device=CUDA)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(case.epochs):
        total = 0.0
        for (batch,) in loader:
            loss = loss_of(case, *networks, scale, batch.to(CUDA))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def small(x: Tensor) -> dict[str, Any]:
    """Case a."""
    ways = {
        "fit": lambda: fitted(SMALL, x, compile="off")[0],
        "fit, compiled and captured": lambda: fitted(SMALL, x, compile="on")[0],
        "usual loop": lambda: usual_loop(SMALL, x),
    }
    turns = [{name: way() for name, way in ways.items()} for _ in range(3)]
    best = {name: statistics.median(turn[name] for turn in turns) for name in ways}
    updates = SMALL.epochs * -(-len(x) // SMALL.batch)
    return {
        "updates": updates,
        "microseconds_an_update": {n: round(s / updates * 1e6, 1) for n, s in best.items()},
        "times_faster_than_usual_loop": {
            n: round(best["usual loop"] / s, 2) for n, s in best.items()
        },
        "pythae": "not run: it is not among the core dependencies",
    }


def large(x: Tensor) -> dict[str, Any]:
    """Case e: the share of the rate of a matrix product."""
    widths = [LARGE.cells, *LARGE.hidden, 2 * LARGE.latents]
    back = [LARGE.latents, *LARGE.hidden[::-1], LARGE.cells]
    products = sum(a * b for w in (widths, back) for a, b in pairwise(w))
    work = LARGE.epochs * len(x) * 2 * (3 * products - widths[0] * widths[1])
    found: dict[str, Any] = {}
    for precision, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        shares = []
        for _ in range(3):
            seconds = fitted(LARGE, x, precision=precision)[0]
            shares.append(work / seconds / rate(dtype))
        found[precision] = {
            "teraflops": round(statistics.median(shares) * rate(dtype) / 1e12, 1),
            "share_of_matrix_product": round(statistics.median(shares), 3),
        }
    return found


def rate(dtype: torch.dtype, size: int = 8192) -> float:
    """Operations a second of one matrix product."""
    a, b = (torch.randn(size, size, device=CUDA, dtype=dtype) for _ in range(2))
    a @ b
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(20):
        a @ b
    torch.cuda.synchronize()
    return 20 * 2 * size**3 / (time.perf_counter() - began)


def memory() -> dict[str, Any]:
    """Peak memory of a convolutional pair for 256x256 images, with and without checkpointing."""
    shape = (3, 256, 256)
    x = torch.randint(0, 256, (256, *shape), dtype=torch.uint8)
    schema = Schema((Field("x", "ordinal", shape, 256),), shape)
    data = Data(schema, Examples(x), Examples(x[:8]), Examples(x[:8]), source="noise")
    found = {}
    for again in (False, True):
        model, objective = lb.catalogue.build("vae", schema, network="residual", channels=64)
        torch.cuda.reset_peak_memory_stats()
        training = lb.Training(epochs=1, batch_size=32, checkpoint=again)
        seconds = lb.fit(model, objective, data, training, seed=0, device=CUDA).seconds
        key = "activations computed again" if again else "activations kept"
        peak = torch.cuda.max_memory_allocated() / 2**20
        found[key] = {"peak_mib": round(peak), "seconds": round(seconds, 2)}
    return found


class Middle(lb.training.Callback):
    """The state in the middle of the training."""

    def __init__(self, after: int) -> None:
        self.after, self.calls, self.state = after, 0, None

    def on_state(self, state, last):
        self.calls += 1
        if self.calls == self.after:
            self.state = state()


def equal(x: Tensor) -> dict[str, Any]:
    """Whether a training that goes on from its middle ends with the very weights."""
    case, x = replace(SMALL, epochs=2), x[:6400]
    parts = [Examples(x), Examples(x[:1000]), Examples(x[:1000])]
    data = Data(schema_of(case), *parts, source=case.name)
    training, middle = lb.Training(epochs=2, batch_size=case.batch), Middle(70)
    first = build(case)
    rest = copy.deepcopy(first)
    lb.fit(first, lb.ELBO(), data, training, seed=0, device=CUDA, callbacks=[middle])
    lb.fit(rest, lb.ELBO(), data, training, device=CUDA, resume=middle.state)
    pairs = zip(first.parameters(), rest.parameters(), strict=True)
    return {"resumed_bit_equal": all(torch.equal(a, b) for a, b in pairs)}


if __name__ == "__main__":
    main()

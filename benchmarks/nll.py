"""Importance-weighted evaluation against pythae's `get_nll`: the same weights, images and draws.

Both sides take turns on the same images (A B A B ...); then ours evaluates all 10,000 test images
in a process of its own, whose peak memory is read.

    python benchmarks/nll.py --data mnist:FOLDER    or NODE_PATH, see `lowerbound data mnist`
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import peers
import results
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import lowerbound as lb
from lowerbound.data import Examples
from lowerbound.distributions import Independent
from lowerbound.evaluation import evidence

REQUIREMENT = "pythae==0.1.2"
LATENTS, HIDDEN = 20, 512


class Encoder(lb.Conditional):
    """pythae's default encoder: N(m(x), exp(v(x))), one hidden layer of 512."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(784, HIDDEN)
        self.embedding, self.log_var = nn.Linear(HIDDEN, LATENTS), nn.Linear(HIDDEN, LATENTS)

    def forward(self, context: Tensor | None = None) -> Independent:
        h = torch.relu(self.encoder(context.flatten(start_dim=1).float()))
        law = Normal(self.embedding(h), (0.5 * self.log_var(h)).exp(), validate_args=False)
        return Independent(law, 1)


def decoder() -> nn.Sequential:
    """pythae's default decoder, as logits."""
    layers = [nn.Linear(LATENTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 784)]
    return nn.Sequential(*layers, nn.Unflatten(-1, (1, 1, 28, 28)))


def build() -> lb.VAE:
    return lb.VAE(
        lb.priors.StandardNormal(LATENTS),
        Encoder(),
        lb.likelihoods.Fields(decoder(), lb.likelihoods.Bernoulli()),
    )


def arrays(model: lb.VAE, x: Tensor) -> dict[str, np.ndarray]:
    """The weights by their names in `nll_pythae.py`, and the images."""
    layers = {
        "encoder": model.posterior.encoder,
        "embedding": model.posterior.embedding,
        "log_var": model.posterior.log_var,
        "decoder": model.likelihood.network[0],
        "logits": model.likelihood.network[2],
    }
    stored = {
        f"{name}.{part}": getattr(layer, part).detach().numpy()
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }
    return {**stored, "x": x.float().numpy()}


def whole(path: Path, samples: int) -> None:
    """Evaluate all images of a file alone in this process, and print time and peak memory."""
    stored = np.load(path)
    model = build()
    with torch.no_grad():
        for name, array in arrays(model, torch.zeros(1)).items():
            if name != "x":
                torch.from_numpy(array).copy_(torch.from_numpy(stored[name]))
    x = torch.from_numpy(stored["x"]).view(-1, 1, 28, 28)
    began = time.perf_counter()
    value = float(evidence(model, Examples(x), samples).log_likelihood.mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - began} {value} {peak}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--images", type=int, default=20, help="in each turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=3, help="of training before")
    parser.add_argument("--skip-whole", action="store_true")
    parser.add_argument("--whole", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.whole:
        whole(given.whole, given.samples)
        return
    threads = torch.get_num_threads()
    data = lb.read(given.data, binarize=True)
    model = build()
    lb.fit(model, lb.ELBO(), data, lb.Training(epochs=given.epochs), seed=0)
    x = data.test.x
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        np.savez(path, **arrays(model, x))
        sides = turns(model, x, path, given, threads)
        alone = None if given.skip_whole else run_whole(path, given, len(x))
    ours, theirs = sides["ours"], sides["theirs"]
    ratios = [b[0] / a[0] for a, b in zip(ours, theirs, strict=True)]
    difference = [a[1] - b[1] for a, b in zip(ours, theirs, strict=True)]
    record = {
        "compares": f"lowerbound.evaluation.evidence with {REQUIREMENT} get_nll (batch_size=100, "
        "its default); the same weights (784-512-20-512-784), images and number of draws",
        "data": data.source,
        "seed": 0,
        "training_epochs": given.epochs,
        "samples": given.samples,
        "images_in_a_turn": given.images,
        "turns": given.turns,
        "threads": threads,
        "seconds_an_image": {
            "ours": round(statistics.median(t for t, _ in ours) / given.images, 5),
            "theirs": round(statistics.median(t for t, _ in theirs) / given.images, 5),
        },
        "times_faster": {
            "median": round(statistics.median(ratios), 2),
            "each_turn": [round(ratio, 2) for ratio in ratios],
        },
        "mean_log_likelihood": {
            "ours": round(statistics.mean(v for _, v in ours), 4),
            "theirs": round(statistics.mean(v for _, v in theirs), 4),
            "difference": round(statistics.mean(difference), 4),
            "standard_error_of_difference": round(
                statistics.stdev(difference) / len(difference) ** 0.5, 4
            ),
        },
        "all_test_images_ours": alone,
    }
    print(record)
    print(results.write("nll", record))


def turns(
    model: lb.VAE, x: Tensor, path: Path, given: argparse.Namespace, threads: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds and values of both sides, taking turns; the first turn of each is not counted."""
    worker = subprocess.Popen(
        [
            peers.python_of(REQUIREMENT),
            Path(__file__).with_name("nll_pythae.py"),
            path,
            str(given.samples),
            str(threads),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    while "ready" not in worker.stdout.readline():
        pass
    sides: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    some = Examples(x[: given.images])
    for turn in range(given.turns + 1):
        began = time.perf_counter()
        value = float(evidence(model, some, given.samples, seed=turn).log_likelihood.mean())
        sides["ours"].append((time.perf_counter() - began, value))
        worker.stdin.write(f"{given.images} {turn}\n")
        worker.stdin.flush()
        seconds, value, _ = map(float, worker.stdout.readline().split())
        sides["theirs"].append((seconds, value))
    worker.stdin.close()
    worker.wait()
    return {name: side[1:] for name, side in sides.items()}


def run_whole(path: Path, given: argparse.Namespace, count: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--whole", path, "--samples", str(given.samples)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, value, peak = map(float, done.stdout.split())
    return {
        "images": count,
        "seconds": round(seconds, 1),
        "mean_log_likelihood": round(value, 3),
        "peak_memory_mib": round(peak),
    }


if __name__ == "__main__":
    main()

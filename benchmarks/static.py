"""pythae's rows on the fixed binarisation of MNIST, side by side with pythae itself.

Both sides train the same networks on the same images for the same number of epochs, batches and
peak rate, one after the other, each in a process of its own; then the same code gives both their
importance-weighted bound. pythae's training is its own trainer with Adam and its schedule.

    python benchmarks/static.py --data binarized_mnist/ --epochs 30 2 [--only vae] [--full]

Where both were trained for the whole budget before, `--full --only vae --weights FILE` takes
pythae's weights from a file that `static_pythae.py` left, and our figure from
`results/reproduce-NAME.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import peers
import results
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import lowerbound as lb
from lowerbound.distributions import Independent
from lowerbound.reproduce import Entry, entry_named
from lowerbound.reproduce.judge import judge
from lowerbound.reproduce.run import prepare
from lowerbound.reproduce.sources import load

REQUIREMENT = "pythae==0.1.2"
ROWS = {"vae": "pythae-vae-static", "iwae": "pythae-iwae-50-static"}


class Encoder(lb.Conditional):
    """N(m(x), exp(v(x))): the law of pythae's encoders, whose weights are read from a file."""

    def __init__(self, body: nn.Module, mean: nn.Linear, log_var: nn.Linear) -> None:
        super().__init__()
        self.body, self.mean, self.log_var = body, mean, log_var

    def forward(self, context: Tensor | None = None) -> Independent:
        h = self.body(context.flatten(start_dim=1).float())
        law = Normal(self.mean(h), (0.5 * self.log_var(h)).exp(), validate_args=False)
        return Independent(law, 1)


def theirs(path: Path, activation: type[nn.Module]) -> lb.VAE:
    """The model that pythae trained, from its weights."""
    stored = {name: torch.from_numpy(array) for name, array in np.load(path).items()}

    def layer(name: str) -> nn.Linear:
        weight = stored[f"{name}.weight"]
        made = nn.Linear(weight.shape[1], weight.shape[0])
        made.load_state_dict({"weight": weight, "bias": stored[f"{name}.bias"].flatten()})
        return made

    def stack(part: str) -> list[nn.Module]:
        names = sorted(n.removesuffix(".weight") for n in stored if n.startswith(f"{part}."))
        return [m for n in names if not n.endswith("bias") for m in (layer(n), activation())]

    encoder = Encoder(nn.Sequential(*stack("encoder")), layer("mean"), layer("log_var"))
    decoder = nn.Sequential(*stack("decoder")[:-1], nn.Unflatten(-1, (1, 1, 28, 28)))
    latents = encoder.mean.out_features
    return lb.VAE(
        lb.priors.StandardNormal(latents),
        encoder,
        lb.likelihoods.Fields(decoder, lb.likelihoods.Bernoulli()),
    )


def train_theirs(
    kind: str, entry: Entry, data: lb.Data, epochs: int, seed: int, out: Path
) -> float:
    """Train pythae's model in its own interpreter; the seconds that training took."""
    images = out.with_name("images.npz")
    if not images.exists():
        np.savez(images, train=data.train.x.numpy(), validation=data.validation.x.numpy())
    command = [peers.python_of(REQUIREMENT), Path(__file__).with_name("static_pythae.py"), kind]
    command += [images, out, epochs, entry.batch_size, seed, torch.get_num_threads()]
    threads = str(torch.get_num_threads())
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": threads}, cwd=out.parent,
    )  # fmt: skip
    return float(done.stdout.split("seconds")[-1])


def train_ours(entry: Entry, data: lb.Data, epochs: int, seed: int) -> tuple[lb.VAE, float]:
    """Train the entry by `fit`; the model and the seconds that it took."""
    made = prepare(entry, data, seed=seed, epochs=epochs)
    began = time.perf_counter()
    lb.fit(made.model, made.objective, data, made.training, seed=seed)
    return made.model, time.perf_counter() - began


def before(entry: Entry, seed: int) -> dict[str, Any]:
    """The evaluation of our training for the whole budget, from its results."""
    stored = json.loads((results.DIRECTORY / f"reproduce-{entry.name}.json").read_text())
    runs = [run for run in stored["runs"] if run["seed"] == seed]
    (whole,) = (run for run in runs if run["updates"] >= run["updates_published"])
    return {**whole["evaluation"], "seconds_of_training": whole["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="as for lowerbound reproduce")
    parser.add_argument("--epochs", type=int, nargs="+", default=[30, 2], help="of each row")
    parser.add_argument("--full", action="store_true", help="the whole published budget")
    parser.add_argument("--only", choices=sorted(ROWS))
    parser.add_argument("--weights", type=Path, help="of pythae, after --full --only")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test-images", type=int, default=1000)
    given = parser.parse_args()
    if given.weights is not None and not (given.full and given.only):
        parser.error("--weights is of one row and its whole budget: give --full and --only, too")
    data = load("mnist-static", given.data)
    rows = []
    if len(given.epochs) not in (1, len(ROWS)):
        parser.error(f"--epochs takes one number, or {len(ROWS)}: of {' and '.join(ROWS)}")
    budget = dict(zip(ROWS, given.epochs * (len(ROWS) // len(given.epochs)), strict=True))
    for kind in [given.only] if given.only else ROWS:
        entry = entry_named(ROWS[kind])
        epochs = entry.epochs if given.full else budget[kind]
        how = {"samples": entry.samples, "images": given.test_images}
        for seed in given.seeds:
            activation = nn.ReLU if kind == "vae" else nn.Tanh
            sides = {}
            if given.weights is not None:
                other = judge(theirs(given.weights, activation), data.test, **how)
                sides = {"pythae": other, "lowerbound": before(entry, seed)}
            else:
                with tempfile.TemporaryDirectory() as folder:
                    out = Path(folder) / "weights.npz"
                    seconds = train_theirs(kind, entry, data, epochs, seed, out)
                    other = theirs(out, activation)
                model, ours = train_ours(entry, data, epochs, seed)
                for name, made, took in (("pythae", other, seconds), ("lowerbound", model, ours)):
                    found = judge(made, data.test, **how)
                    sides[name] = {**found, "seconds_of_training": round(took, 1)}
            row = {
                "entry": entry.name,
                "published": entry.published.figure,
                "seed": seed,
                "epochs": epochs,
                "epochs_published": entry.epochs,
                "batch_size": entry.batch_size,
            }
            rows.append({**row, **sides})
            print(rows[-1], file=sys.stderr)
            record = {
                "compares": f"{REQUIREMENT} and lowerbound.fit: the same networks, images, epochs, "
                "batches and peak learning rate; evaluated by the same code",
                "unit": "nats per example, a bound on -log p(x) of the test images",
                "rows": rows,
            }
            print(results.write("static", record))


if __name__ == "__main__":
    main()

"""Polyphonic music: nats a step on the four sets of rolls, beside two bars.

    python benchmarks/music.py ROLLS.npz [--name jsb] [--method NAME ...] [--epochs N]

A file has `x_train`, `x_valid`, `x_test` `(N, T, 88)` and `mask_test` `(N, T)`, and silence at the
end of a piece for training is no part of it; or it is a .mat file with `traindata`, `validdata` and
`testdata`, pieces `(T, 88)` that are whole. Lengths are given: no end is predicted. Compared:

    independent     each note by its frequency
    gru             the network of `dmm` with context at z = 0, trained alone: its figure is exact
    dmm             a latent a step, notes independent given it
    dmm, context    a latent a step, given the steps before and the lower notes

The sets, which have other steps than others of their name:

    jsb             the file of the authors of SRNN: steps are half beats, 9,396 of them in 77 test
                    pieces; every second of them are the steps of the pieces of "jsb, quarters"
    jsb, quarters   the pieces of the published tables, as the authors of TCN hold them in a .mat
                    file: 4,725 steps in 77 test pieces, 11 of 100 like the one before, where of
                    half beats it is 55 of 100
    others          the files of the authors of SRNN; those of TCN hold none of their test pieces

For training each piece is moved by -5 to +6 semitones, drawn anew each time. Nats are summed over
all test sequences and divided by their steps. Rows are added to benchmarks/results/music.json.
"""

import argparse
import datetime
import json
import shlex
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import results
import torch
from scipy.io import loadmat

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.core import Batch
from lowerbound.data import Examples, Field, Schema

NOTES = 88
METHODS = {
    "independent": None,
    "gru": {"context": True, "alone": 1, "learning_rate": 3e-3},
    "dmm": {"hidden": 200, "latents": 64, "learning_rate": 5e-3},
    "dmm, context": {"context": True, "learning_rate": 3e-3},
}


@dataclass(frozen=True)
class Moved(Examples):
    """Rolls that a training sees moved by some semitones."""

    def draw(self, index):
        """Take the examples at `index`, each moved by -5 to +6 semitones."""
        batch = self.batch(index)
        shift = torch.randint(-5, 7, (len(batch), 1))
        place = torch.arange(NOTES) - shift
        fits = (place >= 0) & (place < NOTES)
        at = (place.clamp(0, NOTES - 1)[:, None]).expand(batch.x.shape)
        return replace(batch, x=batch.x.gather(2, at) * fits[:, None].to(batch.x.dtype))


@dataclass(frozen=True)
class Cut(Moved):
    """The same in batches that end with the longest of their pieces."""

    def draw(self, index):
        batch, longest = super().draw(index), int(self.lengths[index].max())
        return replace(batch, x=batch.x[:, :longest], observed=batch.observed[:, :longest])


def whole(path):
    """Return rolls and lengths of the three parts of a .mat file."""
    file, found = loadmat(path), {}
    for part in ("train", "valid", "test"):
        pieces = [torch.from_numpy(one.astype(np.uint8)) for one in file[f"{part}data"][0]]
        lengths = torch.tensor([len(one) for one in pieces])
        found[part] = torch.nn.utils.rnn.pad_sequence(pieces, batch_first=True), lengths
    return found


def rolls(path):
    """Return rolls and lengths of the three parts."""
    if path.endswith(".mat"):
        return whole(path)
    file = np.load(path)
    found = {}
    for part in ("train", "valid", "test"):
        x = file[f"x_{part}"]
        sounds = file["mask_test"] > 0 if part == "test" else x.any(axis=2)
        lengths = sounds.shape[1] - sounds[:, ::-1].argmax(axis=1)
        x = torch.from_numpy(x[:, : lengths.max()].astype(np.uint8))
        found[part] = x, torch.from_numpy(np.where(sounds.any(axis=1), lengths, 1).astype(np.int64))
    return found


def examples(x, lengths, kind=Examples):
    known = torch.arange(x.shape[1]) < lengths[:, None]
    return kind(x, known[..., None].expand(x.shape), lengths=lengths)


def independent(parts):
    x, lengths = parts["train"]
    steps = float(lengths.sum())
    chance = (x.double().sum(dim=(0, 1)) + 0.5) / (steps + 1)
    test, its = parts["test"]
    on = test.double().sum(dim=(0, 1))
    return -float((on * chance.log() + (float(its.sum()) - on) * (-chance).log1p()).sum())


def trained(parts, settings, options):
    steps = parts["train"][0].shape[1]
    schema = Schema((Field("x", "binary", (steps, NOTES), 2, missing=True),), (steps, NOTES))
    told = {"epochs": options.epochs, "batch_size": 16, "keep": "last", **settings}
    made = assemble("dmm", schema, told | dict(options.settings), examples=None, seed=options.seed)
    few = examples(*(part[:16] for part in parts["valid"]))
    rows = lb.read(np.random.default_rng(0).integers(0, 2, (40, 3, 2)).astype(float), axes="tc")
    # a decoder that is trained alone has z of the whole length
    kind = Moved if settings.get("context") else Cut
    train = examples(*parts["train"], kind)
    data = replace(rows, schema=schema, train=train, validation=few, test=few)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=options.seed)
    return made.model.eval(), len(fit.history)


def together(lengths, steps=4000):
    """Sort pieces into batches of so many steps at most, if it is not one piece."""
    found = [[]]
    for place in lengths.argsort().tolist():
        if found[-1] and int(lengths[place]) * (len(found[-1]) + 1) > steps:
            found.append([])
        found[-1].append(place)
    return map(torch.tensor, found)


@torch.no_grad()
def judged(model, parts, samples, alone):
    """Return summed -ELBO and -log p(x) of the importance-weighted bound, and the rate."""
    x, lengths = parts["test"]
    torch.manual_seed(0)
    total = torch.zeros(3, dtype=torch.float64)
    for some in together(lengths):
        longest = int(lengths[some].max())
        held = examples(x[some, :longest], lengths[some])
        batch = Batch(held.x, held.observed)
        if alone:
            z = torch.zeros(len(some), longest, model.units)
            exact = -model.decode({"z": z}).log_prob(held.x, held.observed).sum()
            total += torch.stack([exact, exact, 0 * exact])
            continue
        trace = model.trace(batch, samples)
        weight = trace.log_weight
        bound = weight.logsumexp(dim=0) - np.log(samples)
        total += torch.stack([-weight.mean(dim=0).sum(), -bound.sum(),
                              trace.kl["z"].sum(dim=-1).mean(dim=0).sum()])  # fmt: skip
    return (total / int(lengths.sum())).tolist()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rolls")
    parser.add_argument("--name", default="jsb")
    parser.add_argument("--method", nargs="*", default=list(METHODS))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--set", dest="settings", nargs="*", default=[],
                        type=lambda t: tuple(t.split("=")))  # fmt: skip
    options = parser.parse_args()
    parts = rolls(options.rolls)
    path = results.DIRECTORY / "music.json"
    before = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows, notes = before["rows"], before.get("notes", [])
    for method in options.method:
        start = time.process_time()
        if method == "independent":
            found = {"exact": independent(parts) / int(parts["test"][1].sum())}
        else:
            model, epochs = trained(parts, METHODS[method], options)
            taken = time.process_time() - start
            bound, weighted, rate = judged(model, parts, options.samples, method == "gru")
            found = {"exact": bound} if method == "gru" else {
                "bound": bound, f"weighted, {options.samples} draws": weighted, "rate": rate
            }  # fmt: skip
            found |= {"epochs": epochs, "seconds": taken}
        key = {"set": options.name, "method": method, "seed": options.seed}
        command = shlex.join(["python", "benchmarks/music.py", *sys.argv[1:]])
        when = {
            "date": datetime.date.today().isoformat(),
            "command": command.replace(options.rolls, "ROLLS" + options.rolls[-4:]),
        }
        rows = [row for row in rows if any(row[k] != v for k, v in key.items())]
        rows.append({**key, **found, **when})
        print(rows[-1], flush=True)
        told = {"command": when["command"], "unit": "nats a step", "rows": rows, "notes": notes}
        results.write("music", told)


if __name__ == "__main__":
    main()

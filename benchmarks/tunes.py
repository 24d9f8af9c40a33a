"""Two-bar melodies of the set `tunes`: how many notes of held-out tunes come back, at what rate.

    python benchmarks/tunes.py [--set beta=0.2 epochs=600 ...] [--bar] [--pictures docs/images]

Reconstructions are the most probable tokens at the mean of q(z|x): nothing of the tune is fed back.
With `--bar` a recurrent language model of the tunes, the decoder of `text-vae` alone, whose figure
is exact. `--pictures` writes piano rolls: held-out tunes beside what comes back, new ones, and the
way between two. A row a call in benchmarks/results/tunes.json, replacing that of the same settings.
"""

import argparse
import datetime
import json
import shlex
import sys
import time
from pathlib import Path

import results
import torch

import lowerbound as lb
from lowerbound.applications import generate, interpolate, reconstruct
from lowerbound.applications.pictures import contact_sheet
from lowerbound.applications.tunes import alike, rolls
from lowerbound.catalogue import assemble
from lowerbound.catalogue.text import sequences
from lowerbound.evaluation import evidence, swap
from lowerbound.objectives import ELBO, Staged

DRAWS = 100


def options_of():
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", dest="settings", nargs="*", default=[],
                        type=lambda t: tuple(t.split("=")))  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bar", action="store_true")
    parser.add_argument("--pictures", type=Path)
    return parser.parse_args()


@torch.no_grad()
def judged(model, held, bar):
    if bar:
        z = torch.zeros(len(held), *model.latents["z"].shape)
        return {"exact": -float(model.decode({"z": z}).log_prob(held.x).mean())}
    back = model.reconstruct(held.batch(slice(None))).greedy()
    sixteenths, notes = alike(held.x, back)
    found = evidence(model, held, DRAWS, seed=0)
    bound = -float(found.elbo.mean())
    rate = float(found.rate.mean())
    return {
        "sixteenths that came back": sixteenths,
        "notes that came back": notes,
        "bound": bound,
        "distortion": bound - rate,
        "rate": rate,
        f"weighted, {DRAWS} draws": -float(found.log_likelihood.mean()),
        "cost of another's z": swap(model, held, seed=0).mean,
    }


def pictures(model, held, folder):
    some = held.few(8)
    sheets = {
        "back": torch.stack([some.x, reconstruct(model, some)], dim=1).flatten(end_dim=1),
        "new": generate(model, 16, seed=0),
        "way": interpolate(model, some.x[0], some.x[1], steps=8),
    }
    for name, tunes in sheets.items():
        sheet = contact_sheet(rolls(list(tunes.numpy())), 4, gap=6, enlarge=2)
        sheet.save(folder / f"tunes-{name}.png")


def main():
    options = options_of()
    settings, data = dict(options.settings), lb.read("tunes")
    made = assemble("music-vae", data.schema, settings, examples=len(data.train), seed=options.seed)
    model, objective, training = made.model, made.objective, made.training
    if options.bar:
        torch.manual_seed(options.seed)
        model, objective = sequences(data.schema), Staged(ELBO(), 1.0, 1.0, 1.0, 1.0, 0.0)
    start = time.process_time()
    fit = lb.fit(model, objective, data, training, seed=options.seed)
    row = {
        "method": "language model" if options.bar else "lowerbound",
        "settings": settings,
        "seed": options.seed,
        "tunes learned from": len(data.train),
        "tunes held out": len(data.test),
        "epochs": len(fit.history),
        "seconds": time.process_time() - start,
        **judged(model.eval(), data.test.load(), options.bar),
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/tunes.py", *sys.argv[1:]]),
    }
    if options.pictures:
        pictures(model, data.test.load(), options.pictures)
    print(row, flush=True)
    path, key = results.DIRECTORY / "tunes.json", ("method", "settings", "seed")
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [one for one in rows if any(one[k] != row[k] for k in key)]
    results.write("tunes", {"unit": "nats a tune", "rows": [*rows, row]})


if __name__ == "__main__":
    main()

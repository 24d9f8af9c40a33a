"""Two-bar melodies of the set `tunes`: how many notes of held-out tunes come back, at what rate.

    python benchmarks/tunes.py [--set beta=0.1 latents=64 ...]

Reconstructions are the most probable tokens, one after the other, at the mean of q(z|x): nothing of
the tune is fed back. A row a call in benchmarks/results/tunes.json, replacing that of the same
settings.
"""

import argparse
import datetime
import json
import shlex
import sys
import time

import results
import torch

import lowerbound as lb
from lowerbound.applications.tunes import alike
from lowerbound.catalogue import assemble


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", dest="settings", nargs="*", default=[],
                        type=lambda t: tuple(t.split("=")))  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start, settings = time.process_time(), dict(options.settings)
    data = lb.read("tunes")
    made = assemble("music-vae", data.schema, settings, examples=len(data.train), seed=options.seed)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=options.seed)
    seconds = time.process_time() - start
    held = data.test.few(300).load()
    model = made.model.eval()
    with torch.no_grad():
        found = model.reconstruct(held.batch(slice(None))).greedy()
        trace = model.trace(held.batch(slice(None)), 4)
    sixteenths, notes = alike(held.x, found)
    row = {
        "settings": settings,
        "seed": options.seed,
        "epochs": len(fit.history),
        "sixteenths that came back": sixteenths,
        "notes that came back": notes,
        "distortion": -float(trace.log_px.mean()),
        "rate": float((trace.log_qz - trace.log_pz).mean()),
        "seconds": seconds,
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", "benchmarks/tunes.py", *sys.argv[1:]]),
    }
    print(row, flush=True)
    path = results.DIRECTORY / "tunes.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [one for one in rows if (one["settings"], one["seed"]) != (settings, options.seed)]
    results.write("tunes", {"unit": "nats a tune", "rows": [*rows, row]})


if __name__ == "__main__":
    main()

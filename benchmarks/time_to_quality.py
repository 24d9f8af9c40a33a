"""Seconds until the held-out bound is what pythae's default training ends with.

pythae trains an MLP 784-400-400-20 (and the like for smaller images) as its `BaseTrainerConfig`
does by itself: 100 epochs in batches of 64, Adam at a constant 1e-4. Ours trains the same networks
for a growing number of epochs, each time anew and to its schedule's end, until its bound is theirs:
the seconds of that last training count. Settings are varied one at a time around the defaults,
which are chosen by this measure. One program judges all weights.

    python benchmarks/time_to_quality.py [--images mnist:FOLDER] [--threads 2]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peers
import results
from sides.shapes import Case, load
from speed import HERE, MLP, PYTHAE, bound

import lowerbound as lb

#: Epochs that are tried, in turn.
BUDGETS = (3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100)
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "batch 32": {"batch_size": 32},
    "batch 64": {"batch_size": 64},
    "batch 256": {"batch_size": 256},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "learning rate 4e-3": {"learning_rate": 4e-3},
    "constant rate": {"warm_up": 0.0, "final_rate": 1.0},
    "no average": {"average": None},
    "betas 0.9, 0.99": {"betas": [0.9, 0.99]},
}
SETS = {
    "images": (10_000, (400, 400)),
    "fashion-small": (5400, (400, 400)),
    "digits": (1300, (200, 200)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="mnist")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=[*VARIANTS])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    record: dict[str, Any] = {
        "compares": "seconds of a training of the same networks until its held-out ELBO is what "
        f"{PYTHAE} reaches at the end of its default training; times_sooner is theirs over ours",
        "threads": given.threads,
        "seed": 0,
        "sets": {},
    }
    for name in given.sets:
        rows, hidden = SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            record["sets"][name] = study(name, rows, hidden, given, Path(folder))
        print(json.dumps(record["sets"][name], indent=1))
        results.write("time_to_quality", record)


def study(
    name: str, rows: int, hidden: tuple[int, ...], given: Any, folder: Path
) -> dict[str, Any]:
    """One data set: theirs once, then every variant of ours."""
    source = given.images if name == "images" else name
    data = lb.read(source, binarize=True)
    x, held_out = data.train.x[:rows].numpy(), data.validation.x[:1000].numpy()
    np.savez(folder / "data.npz", train=x, held_out=held_out)
    shape = tuple(data.schema.shape)
    case = replace(MLP, name=name, shape=shape, hidden=hidden, rows=len(x), threads=given.threads)
    theirs = run("quality_pythae", case, folder)
    goal = judged(case, folder)
    found: dict[str, Any] = {
        "data": data.source,
        "rows": len(x),
        "network": f"mlp {'-'.join(map(str, hidden))}, {case.latents} latents",
        "theirs": {**theirs, "held_out_bound": round(goal, 2)},
        "ours": {},
    }
    for variant in given.variants:
        entry: dict[str, Any] = {"settings": VARIANTS[variant], "tried": []}
        found["ours"][variant] = entry
        for epochs in BUDGETS:
            settings = {**VARIANTS[variant], "epochs": epochs}
            ours = run("quality_lowerbound", case, folder, json.dumps(settings))
            reached = judged(case, folder)
            entry["tried"].append([epochs, round(ours["seconds"], 2), round(reached, 2)])
            print(name, variant, entry["tried"][-1], "goal", round(goal, 2))
            if reached >= goal:
                entry |= {"epochs": epochs, "seconds": round(ours["seconds"], 2)}
                entry["times_sooner"] = round(theirs["seconds"] / ours["seconds"], 1)
                break
    return found


def run(side: str, case: Case, folder: Path, *more: str) -> dict[str, Any]:
    """One training in a process of its own."""
    case.write(folder / "case.json")
    theirs = side.endswith("pythae")
    python = str(peers.python_of(PYTHAE)) if theirs else sys.executable
    environment = {**os.environ, "OMP_NUM_THREADS": str(case.threads)}
    if theirs:
        environment.pop("PYTHONPATH", None)
    files = [str(folder / name) for name in ("case.json", "data.npz", "left.npz")]
    command = [python, "-m", f"sides.{side}", *files, *more]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def judged(case: Case, folder: Path) -> float:
    """The mean held-out ELBO of the weights that were left."""
    return bound(case, folder / "left.npz", load(str(folder / "data.npz"))[1])


if __name__ == "__main__":
    main()

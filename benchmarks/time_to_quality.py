"""Seconds until the held-out bound is what pythae's default training ends with.

pythae trains an MLP 784-400-400-20 (and the like for smaller images) as its `BaseTrainerConfig`
does by itself: 100 epochs in batches of 64, Adam at a constant 1e-4. Ours is the recipe `vae` with
the same networks, from its own first weights, for some number of epochs, each time anew and to its
schedule's end: for growing ones until its bound is theirs, then for ones between, to within a
tenth. The median of three trainings of the fewest is our time; the lesser of two trainings, before
ours and after, is theirs. Settings are varied one at a time around the defaults, which are chosen
by this measure. One program judges all weights.

    python benchmarks/time_to_quality.py [--images mnist:FOLDER] [--threads 2]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import peers
import results
from sides.shapes import Case, load
from speed import HERE, MLP, PYTHAE, bound

import lowerbound as lb

#: Epochs that are tried, in turn.
BUDGETS = (2, 4, 8, 16, 32, 64, 128)
#: Trainings of the fewest epochs that are enough, of which the median counts.
TIMES = 3
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

        def reaches(epochs: int, variant: str = variant, entry: dict[str, Any] = entry) -> bool:
            settings = {**VARIANTS[variant], "epochs": epochs}
            ours = run("quality_lowerbound", case, folder, json.dumps(settings))
            reached = judged(case, folder)
            entry["tried"].append([epochs, round(ours["seconds"], 2), round(reached, 2)])
            print(name, variant, entry["tried"][-1], "goal", round(goal, 2))
            return reached >= goal

        epochs = fewest(reaches)
        if epochs is None:
            continue
        again = [reaches(epochs) for _ in range(TIMES - 1)]
        if not all(again):
            raise SystemExit(f"{epochs} epochs reach the goal at one time and not at another")
        seconds = median(tried[1] for tried in entry["tried"] if tried[0] == epochs)
        entry |= {"epochs": epochs, "seconds": seconds}
    twice = [theirs["seconds"], run("quality_pythae", case, folder)["seconds"]]
    found["theirs"] |= {"seconds": min(twice), "seconds_of_each": twice}
    for entry in found["ours"].values():
        if "seconds" in entry:
            entry["times_sooner"] = round(min(twice) / entry["seconds"], 1)
    return found


def fewest(reaches: Callable[[int], bool]) -> int | None:
    """The fewest epochs that reach the goal, to within a tenth; None if none of BUDGETS do."""
    enough = next((place for place, epochs in enumerate(BUDGETS) if reaches(epochs)), None)
    if enough is None:
        return None
    few, many = BUDGETS[enough - 1] if enough else 0, BUDGETS[enough]
    while many - few > max(1, many // 10):
        middle = (few + many) // 2
        few, many = (few, middle) if reaches(middle) else (middle, many)
    return many


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

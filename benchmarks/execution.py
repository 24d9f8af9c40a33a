"""What the choices of `fit` rest on: precision by rows, layout of convolutions, threads.

Each pair of ways takes turns in one process; milliseconds an update are medians over updates.

    python benchmarks/execution.py [--turns 3] [--threads 2]
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import results
import torch

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.seeding import seeded
from lowerbound.training import Execution, precision
from lowerbound.training.trainer import Trainer

CPU = torch.device("cpu")
#: Rows of a batch for 784-200-200-50.
ROWS = (20, 50, 100, 200, 500)
SHAPES = ((1, 28, 28), (3, 64, 64))
PRECISIONS = ("float32", "bfloat16")
SMALL = {"hidden": [200, 200], "latents": 50}


class Clock(lb.training.Callback):
    """When each update ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step(self, step: Any) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--waiting", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.waiting:
        print(json.dumps(threads(given)))
        return
    record: dict[str, Any] = {
        "compares": "milliseconds of an update of the same training executed in two ways; above 1 "
        "the second is faster",
        "threads": given.threads,
        "turns": given.turns,
        "seed": 0,
        "bfloat16_in_hardware": precision.has_bfloat16(CPU),
    }
    record["precision"] = [by_precision(rows, given.turns) for rows in ROWS]
    results.write("execution", record)
    pairs = itertools.product(SHAPES, PRECISIONS)
    record["channels"] = [by_layout(shape, how, given.turns) for shape, how in pairs]
    results.write("execution", record)
    record["threads_by_waiting"] = [by_threads(waiting, given) for waiting in ("ACTIVE", "PASSIVE")]
    print(results.write("execution", record))


def by_threads(waiting: str, given: Any) -> dict[str, Any]:
    """All threads against one, in a process whose threads wait in this way."""
    words = ["--waiting", waiting, "--turns", str(given.turns), "--threads", str(given.threads)]
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env={**os.environ, "OMP_WAIT_POLICY": waiting},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {"waiting": waiting, "rows": json.loads(done.stdout)}


def threads(given: Any) -> list[dict[str, Any]]:
    """For batches of several sizes of 784-200-200-50, and of a table of 14 columns."""
    found = []
    ways = {f"threads: {n}": Execution(threads=n) for n in (given.threads, 1)}
    x = torch.randn(40 * 256, 14, generator=torch.Generator().manual_seed(0))
    schema = Schema((Field("x", "real", (14,), None, (0.0,) * 14, (1.0,) * 14),), (14,))
    table = Data(schema, *(Examples(part) for part in (x, x[:8], x[:8])), source="noise")
    small = {"hidden": [128, 128], "latents": 8}
    for data, rows, settings in [
        (table, 128, small),
        (table, 256, small),
        *((binary((1, 28, 28), 40 * rows), rows, SMALL) for rows in (20, 50, 100, 200)),
    ]:
        work = work_of(data, rows, settings)
        told = compare(data, rows, ways, given.turns, settings)
        found.append(
            {"columns": data.schema.shape, "rows": rows, "operations_a_pass": work, **told}
        )
    return found


def work_of(data: Data, rows: int, settings: Any) -> float:
    """Operations of the products in one pass."""
    built = lb.catalogue.assemble("vae", data.schema, settings, seed=0)
    some = data.train.batch(slice(0, rows))
    return precision.operations(built.model, built.objective, CPU, some)


def by_precision(rows: int, turns: int) -> dict[str, Any]:
    """float32 against bfloat16 for batches of so many rows."""
    data = binary((1, 28, 28), 40 * rows)
    work = work_of(data, rows, SMALL)
    ways = {how: Execution(precision=how) for how in PRECISIONS}
    found = compare(data, rows, ways, turns, SMALL)
    return {"rows": rows, "operations_a_pass": work, **found}


def by_layout(shape: tuple[int, ...], how: str, turns: int) -> dict[str, Any]:
    """Channels first against channels last for the residual pair."""
    ways = {
        words: Execution(precision=how, channels_last=last)
        for words, last in (("channels first", False), ("channels last", True))
    }
    found = compare(binary(shape, 32 * 6), 32, ways, turns, {"network": "residual"})
    return {"shape": shape, "precision": how, **found}


def binary(shape: tuple[int, ...], count: int) -> Data:
    """Random bits."""
    x = (torch.rand(count, *shape, generator=torch.Generator().manual_seed(0)) < 0.2).byte()
    schema = Schema((Field("x", "binary", shape, 2),), shape)
    return Data(schema, *(Examples(part) for part in (x, x[:8], x[:8])), source="noise")


def compare(
    data: Data, rows: int, ways: dict[str, Execution], turns: int, settings: Any
) -> dict[str, Any]:
    """Milliseconds an update of each way, and how many times faster the second is."""
    seen: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, execution in ways.items():
            seen[way].append(one(data, rows, execution, settings))
    ratios = [a / b for a, b in zip(*seen.values(), strict=True)]
    return {
        "ms_an_update": {way: round(statistics.median(times), 3) for way, times in seen.items()},
        "second_times_faster": round(statistics.median(ratios), 2),
        "each_turn": [round(ratio, 2) for ratio in ratios],
    }


def one(data: Data, rows: int, execution: Execution, settings: Any) -> float:
    """The median of two epochs' updates, in milliseconds."""
    training = lb.Training(epochs=2, batch_size=rows)
    built = lb.catalogue.assemble("vae", data.schema, settings, seed=0)
    clock = Clock()
    with seeded(0):
        parts = (built.model, built.objective, data, training, CPU, 0, execution)
        Trainer(*parts).run([clock])
    return 1e3 * statistics.median(b - a for a, b in itertools.pairwise(clock.ends))


if __name__ == "__main__":
    main()

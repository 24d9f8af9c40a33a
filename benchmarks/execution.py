"""What the choices of `fit` rest on: precision by rows, layout of convolutions, threads, Adam.

Each pair of ways takes turns in one process; milliseconds an update are medians over updates.

    python benchmarks/execution.py [--turns 3] [--threads 2] [--only channels]
"""

import argparse
import datetime
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import results
import torch

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.distributions import CellNormal, Independent, Mixture
from lowerbound.seeding import seeded
from lowerbound.training import Execution, precision
from lowerbound.training.fit import run
from lowerbound.training.trainer import Trainer

CPU = torch.device("cpu")
#: Rows of a batch for 784-200-200-50.
ROWS = (20, 50, 100, 200, 500)
#: Components of a mixture prior, such as pseudo-inputs of a VampPrior.
COMPONENTS = (10, 50, 500)
PARTS = ("precision", "channels", "threads_by_waiting", "adam", "mixture")
WAITING = ("", "PASSIVE")
SHAPES = ((1, 28, 28), (3, 64, 64))
PRECISIONS = ("float32", "bfloat16")
SMALL = {"hidden": [200, 200], "latents": 50}
#: Columns of a table, and settings of a tiny and a usual pair of networks on it.
COLUMNS = 14
OF_A_TABLE = ({"hidden": [4], "latents": 4}, {"hidden": [128, 128], "latents": 8})


class Clock(lb.training.Callback):
    """When each update ended.

    Args:
        read: Gives seconds.
    """

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read
        self.ends: list[float] = []

    def on_step(self, step: Any) -> None:
        self.ends.append(self.read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.inside:
        print(json.dumps(threads(given)))
        return
    record: dict[str, Any] = {
        "compares": "milliseconds of an update of the same training executed in two ways; above 1 "
        "the second is faster",
        "seed": 0,
        "bfloat16_in_hardware": precision.has_bfloat16(CPU),
        "parts": {},
    }
    path = results.DIRECTORY / "execution.json"
    if path.exists():  # the parts that are not measured now stay as they were
        record["parts"] = json.loads(path.read_text())["parts"]
    ways: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "precision": lambda: [by_precision(rows, given.turns) for rows in ROWS],
        "channels": lambda: [
            by_layout(shape, how, given.turns)
            for shape, how in itertools.product(SHAPES, PRECISIONS)
        ],
        "threads_by_waiting": lambda: [
            by_threads(waiting, busy, given)
            for waiting, busy in itertools.product(WAITING, (False, True))
        ],
        "adam": lambda: [by_optimizer(*case, given.turns) for case in optimizer_cases()],
        "mixture": lambda: [by_products(components, given.turns) for components in COMPONENTS],
    }
    for part in given.only:
        record["parts"][part] = {
            "command": shlex.join(["python", "benchmarks/execution.py", *sys.argv[1:]]),
            "date": datetime.date.today().isoformat(),
            "threads": given.threads,
            "turns": given.turns,
            "rows": ways[part](),
        }
        print(results.write("execution", record))


def by_products(components: int, turns: int) -> dict[str, Any]:
    """The density of a mixture of diagonal Gaussians and its gradient: by cells, by products."""
    generator = torch.Generator().manual_seed(0)
    z, means = (torch.randn(rows, 40, generator=generator) for rows in (100, components))
    parts = [part.requires_grad_() for part in (z, means, torch.full_like(means, 0.3))]
    law = Independent(CellNormal(*parts[1:]), 1)
    mixture = Mixture(torch.zeros(components), law)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "cells": lambda: law.log_prob(z.unsqueeze(-2)).logsumexp(dim=-1),
        "products": lambda: mixture.log_prob(z),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(20 * turns):
        for name, way in ways.items():
            began = time.process_time()
            torch.autograd.grad(way().sum(), parts)
            taken[name].append(1e3 * (time.process_time() - began))
    found = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "examples": 100,
        "latents": 40,
        "components": components,
        "milliseconds": {name: round(value, 3) for name, value in found.items()},
        "times_faster": round(found["cells"] / found["products"], 2),
    }


def by_threads(waiting: str, busy: bool, given: Any) -> dict[str, Any]:
    """All threads against one, in a process whose threads wait in this way.

    Args:
        waiting: As OMP_WAIT_POLICY has it; "" is torch's own: spinning for a while, then asleep.
        busy: Whether another program keeps one core at work.
        given: Arguments of the command.
    """
    words = ["--inside", "--turns", str(given.turns), "--threads", str(given.threads)]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        done = subprocess.run(
            [sys.executable, __file__, *words],
            env={**environment, **({"OMP_WAIT_POLICY": waiting} if waiting else {})},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        if other is not None:
            other.kill()
            other.wait()
    waits = waiting or "as torch has it"
    return {"waiting": waits, "one_core_busy": busy, "rows": json.loads(done.stdout)}


def threads(given: Any) -> list[dict[str, Any]]:
    """For batches of several sizes of 784-200-200-50, and of a table of 14 columns."""
    found = []
    ways = {f"threads: {n}": Execution(threads=n) for n in (given.threads, 1)}
    table = reals(40 * 256)
    small = {"hidden": [128, 128], "latents": 8}
    for data, rows, settings in [
        (table, 128, small),
        (table, 256, small),
        *((binary((1, 28, 28), 40 * rows), rows, SMALL) for rows in (20, 50, 100, 200)),
    ]:
        work = work_of(data, rows, settings)
        times = compare(data, rows, ways, given.turns, settings)
        found.append(
            {"columns": data.schema.shape, "rows": rows, "operations_a_pass": work, **times}
        )
    return found


def reals(count: int) -> Data:
    """A table of noise."""
    x = torch.randn(count, COLUMNS, generator=torch.Generator().manual_seed(0))
    field = Field("x", "real", (COLUMNS,), mean=(0.0,) * COLUMNS, scale=(1.0,) * COLUMNS)
    parts = (Examples(part) for part in (x, x[:8], x[:8]))
    return Data(Schema((field,), (COLUMNS,)), *parts, source="noise")


class OfTorch:
    """The class of `torch.optim`, fused, in the place of our Adam."""

    def __init__(self, adam: Any) -> None:
        self.rate, self.state = adam.rate, adam.state
        self.inside = torch.optim.Adam(adam.parameters, lr=adam.rate, fused=True)

    def step(self) -> None:
        """One update."""
        for group in self.inside.param_groups:
            group["lr"] = self.rate
        self.inside.step()


def optimizer_cases() -> list[tuple[Data, dict[str, Any]]]:
    """A table by a tiny and a usual network, and bits by the default one."""
    default = {"hidden": [400, 400], "latents": 20}
    return [
        *((reals(100 * 128), settings) for settings in OF_A_TABLE),
        (binary((1, 28, 28), 20 * 128), default),
    ]


def by_optimizer(data: Data, settings: dict[str, Any], turns: int) -> dict[str, Any]:
    """`torch.optim.Adam` against the function that it calls, one thread, batches of 128.

    Milliseconds are those that the thread computes, which other work on the machine disturbs less.
    """

    def replaced(trainer: Trainer) -> None:
        trainer.stepper.optimizer = OfTorch(trainer.stepper.optimizer)  # type: ignore[assignment]

    ways = {"torch.optim.Adam": replaced, "the function that it calls": lambda trainer: None}
    seen: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(turns):
        for way, change in ways.items():
            seen[way].append(
                one(data, 128, Execution(threads=1), settings, change, time.thread_time)
            )
    return {"columns": data.schema.shape, **settings, **told(seen)}


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
    return told(seen)


def told(seen: dict[str, list[float]]) -> dict[str, Any]:
    """Medians of milliseconds, and how many times faster the second way is."""
    ratios = [a / b for a, b in zip(*seen.values(), strict=True)]
    return {
        "ms_an_update": {way: round(statistics.median(times), 3) for way, times in seen.items()},
        "second_times_faster": round(statistics.median(ratios), 2),
        "each_turn": [round(ratio, 2) for ratio in ratios],
    }


def one(
    data: Data,
    rows: int,
    execution: Execution,
    settings: Any,
    change: Callable[[Trainer], object] = lambda trainer: None,
    read: Callable[[], float] = time.perf_counter,
) -> float:
    """The median of two epochs' updates, in milliseconds."""
    training = lb.Training(epochs=2, batch_size=rows)
    built = lb.catalogue.assemble("vae", data.schema, settings, seed=0)
    clock = Clock(read)
    with seeded(0):
        parts = (built.model, built.objective, data, training, CPU, 0, execution)
        trainer = Trainer(*parts)
        change(trainer)
        run(trainer, [clock])
    return 1e3 * statistics.median(b - a for a, b in itertools.pairwise(clock.ends))


if __name__ == "__main__":
    main()

"""How much faster is one training when two processes of this machine share it, and what beyond?

Measured, taking turns (A B C A B C ...): updates a second of one process with one thread, one
process with two threads, and two processes with one thread each, for a small model (its gradient
goes in one message, and for comparison piece by piece while others are computed, as a large one's
does) and a large one; and how long such a message takes on its own. Calculated from these: N
processes at a bandwidth and a latency that are given, by
`step / N + what of the message is not hidden`.

    python benchmarks/processes.py [--turns 5] [--updates 200] [--bandwidth 100] [--latency 20]

Takes about five minutes on two idle cores with the defaults.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from results import write

#: Hidden layers, batch size, and the shape of an example.
CASES = {
    "small": {"hidden": [128, 128], "batch_size": 128, "columns": 64},
    "large": {"hidden": [1024, 1024], "batch_size": 512, "columns": 784},
}
#: Processes and threads of each.
SIDES = {"one process, one thread": (1, 1), "one process, two threads": (1, 2)}
SIDES["two processes, one thread each"] = (2, 1)
#: A further side of the small model, whose gradient goes piece by piece there.
IN_PIECES = "two processes, one thread each, piece by piece"
#: Numbers in the messages that are timed on their own.
MESSAGES = (1, 10_000, 100_000, 1_000_000, 10_000_000)


def worker(case: str, updates: int, in_pieces: bool) -> None:
    """Train, and print what the training took as JSON; run by every process of a side."""
    from lowerbound.catalogue import assemble
    from lowerbound.data import Data, Examples, Field, Schema
    from lowerbound.training import fit, gradients

    if in_pieces:
        gradients.ONE_MESSAGE_UP_TO = 0
    settings = CASES[case]
    columns, size = settings["columns"], settings["batch_size"]
    if "RANK" in os.environ:
        torch.distributed.init_process_group("gloo")
    x = torch.randn(8 * size, columns, generator=torch.Generator().manual_seed(0))
    field = Field("x", "real", (columns,), mean=(0.0,) * columns, scale=(1.0,) * columns)
    some = Examples(x[:16])
    data = Data(Schema((field,), (columns,)), Examples(x), some, some, source="noise")
    chosen = {"latents": 16, "hidden": settings["hidden"], "batch_size": size, "compile": "off"}
    made = assemble("vae", data.schema, {**chosen, "epochs": updates // 8}, seed=0)
    result = fit(made.model, made.objective, data, made.training, seed=0)
    speeds = [epoch.examples_per_second / size for epoch in result.history[2:]]
    found = {
        "updates_a_second": statistics.median(speeds),
        "parameters": sum(p.numel() for p in made.model.parameters()),
        "held_out_bound": result.best.held_out.bound,
    }
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(found))
    if "RANK" in os.environ:  # a thread of the group that is left to the exit may abort it
        torch.distributed.destroy_process_group()


def messages() -> None:
    """Print the median seconds of an all-reduce of so many float32 numbers as JSON."""
    torch.distributed.init_process_group("gloo")
    found = {}
    for numbers in MESSAGES:
        tensor, seconds = torch.ones(numbers), []
        for _ in range(30):
            began = time.perf_counter()
            torch.distributed.all_reduce(tensor)
            tensor.fill_(1.0)
            seconds.append(time.perf_counter() - began)
        found[numbers] = statistics.median(seconds[5:])
    if os.environ["RANK"] == "0":
        print(json.dumps(found))
    torch.distributed.destroy_process_group()


def run(words: list[str], processes: int, threads: int) -> dict:
    """What this script prints as one or several processes."""
    script = [str(Path(__file__)), *words]
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), *script]
    environment = {
        **os.environ,
        **{name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")},
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def beyond(step: float, parameters: int, processes: int, bandwidth: float, latency: float) -> dict:
    """One update shared over so many processes, each with the cores or the device of one.

    A ring sends 2 (N - 1) / N times the gradient through every link, in 2 (N - 1) turns. "hidden"
    supposes that all of it goes on during the backward pass, which is two thirds of an update.

    Args:
        step: Seconds of an update in one process.
        parameters: Numbers in a gradient, four bytes each.
        processes: N.
        bandwidth: Of a link, gigabits a second.
        latency: Of a turn, microseconds.
    """
    turns = 2 * (processes - 1)
    message = turns / processes * 4 * parameters * 8 / (bandwidth * 1e9) + turns * latency * 1e-6
    share = step / processes
    hidden = max(0.0, message - 2 / 3 * share)
    return {
        "processes": processes,
        "speed_up_nothing_hidden": step / (share + message),
        "speed_up_hidden": step / (share + hidden),
    }


def main() -> None:
    """Run all sides in turn and write benchmarks/results/processes.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--updates", type=int, default=200, help="in each training, at least 40")
    parser.add_argument("--bandwidth", type=float, default=100.0, help="of a link, Gbit/s")
    parser.add_argument("--latency", type=float, default=20.0, help="of a message, microseconds")
    parser.add_argument("--in-pieces", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", choices=[*CASES, "messages"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "messages":
        return messages()
    if options.worker:
        return worker(options.worker, options.updates, options.in_pieces)
    cases = []
    for case, settings in CASES.items():
        sides = {**SIDES, **({IN_PIECES: (2, 1)} if case == "small" else {})}
        rows: dict[str, list[dict]] = {side: [] for side in sides}
        for turn in range(options.turns):
            for side, (processes, threads) in sides.items():
                words = ["--worker", case, "--updates", str(options.updates)]
                words += ["--in-pieces"] if side == IN_PIECES else []
                rows[side].append(run(words, processes, threads))
                print(case, turn, side, rows[side][-1], flush=True)
        speeds = {s: [row["updates_a_second"] for row in found] for s, found in rows.items()}
        medians = {side: statistics.median(found) for side, found in speeds.items()}
        one, parameters = medians["one process, one thread"], rows[side][0]["parameters"]
        cases.append(
            {
                "case": case,
                **settings,
                "parameters": parameters,
                "updates_a_second": medians,
                "lowest_and_highest": {s: [min(v), max(v)] for s, v in speeds.items()},
                "ratio_to_one_thread": {side: median / one for side, median in medians.items()},
                "held_out_bound": {s: found[0]["held_out_bound"] for s, found in rows.items()},
                "calculated": [
                    beyond(1 / one, parameters, n, options.bandwidth, options.latency)
                    for n in (2, 4, 8, 16, 64)
                ],
            }
        )
    write(
        "processes",
        {
            "seed": 0,
            "turns": options.turns,
            "bandwidth_gigabits_a_second": options.bandwidth,
            "latency_microseconds": options.latency,
            "seconds_of_a_message_by_numbers": run(["--worker", "messages"], 2, 1),
            "cases": cases,
        },
    )


if __name__ == "__main__":
    main()

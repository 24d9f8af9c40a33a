"""Training on data larger than memory: how much memory it takes, and how fast it is.

Images of fashion-mnist (of fashion-small where that is not here), each copy rolled by another
number of pixels, are written to a .npy of the size asked for. Then

- memory: one process trains on it from disk, another one on 2,000 images in memory; the difference
  of their largest resident sets is what the data takes beyond the model. The sets are those of
  /proc/self/status: VmHWM, and RssAnon sampled every 20 ms, which has no pages of files in it.
- speed: from disk and in memory (a part that fits) take turns in one process, the same model and
  batch; examples a second inside epochs, and bytes that really came from the disk.

    python benchmarks/larger_than_memory.py [--size GB] [--minutes M] [--turns N] [--folder DIR]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from results import write

import lowerbound as lb
from lowerbound.data.read.named import named_sets

FITS = 60_000
SMALL = 2_000
SETTINGS = {"network": "mlp"}


def real_images() -> tuple[str, np.ndarray]:
    """Images `(N, 28, 28)` and what they are called."""
    known = {named.name: named for named in named_sets()}
    name = "fashion-mnist" if known["fashion-mnist"].available() else "fashion-small"
    return name, known[name].load(None).values


def write_tiled(path: Path, images: np.ndarray, size: float) -> int:
    """Write so many GB (10^9 bytes) of rolled copies, a copy of all at a time; how many."""
    count = int(size * 1e9) // images[0].nbytes
    head = {"descr": "|u1", "fortran_order": False, "shape": (count, *images.shape[1:])}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        for copy, start in enumerate(range(0, count, len(images))):
            rolled = np.roll(images, (copy % 28, copy // 28), axis=(1, 2))
            file.write(np.ascontiguousarray(rolled[: count - start]).data)
        file.flush()
        os.fsync(file.fileno())
    return count


def train(data, minutes: float):
    """Train an MLP pair for a while; its history."""
    made = lb.catalogue.assemble("vae", data.schema, {**SETTINGS, "minutes": minutes}, seed=0)
    return lb.fit(made.model, made.objective, data, made.training, seed=0)


def status() -> dict[str, int]:
    """Bytes of this process's resident set."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in ("VmHWM", "RssAnon", "RssFile"):
            found[key] = int(rest.split()[0]) * 1024
    return found


def child(path: str, minutes: float) -> None:
    """Open and train, and print how much memory it took at most."""
    peak, over = {"RssAnon": 0, "RssFile": 0}, threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            now = status()
            peak.update({key: max(peak[key], now[key]) for key in peak})

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    before = time.perf_counter()
    data = lb.data.read(path, stream=Path(path).name == "all.npy")
    opening = time.perf_counter() - before
    fit = train(data, minutes)
    over.set()
    watcher.join()
    seen = sum(e.updates for e in fit.history[-1:]) * 128
    result = {**peak, "VmHWM": status()["VmHWM"], "seconds_to_open": opening, "examples": seen}
    print(
        json.dumps({**result, "stored": data.stored, "in_all": sum(data.split["counts"].values())})
    )


def memory_of(path: Path, minutes: float) -> dict:
    """What `child` says, in a process of its own."""
    command = [sys.executable, __file__, "--child", str(path), "--minutes", str(minutes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def bytes_read() -> int:
    """Bytes that this process made the disk read."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0


def turn(data, minutes: float) -> dict:
    """Examples a second inside epochs, weighted by their time."""
    before = bytes_read()
    fit = train(data, minutes)
    rates = [epoch.examples_per_second for epoch in fit.history]
    return {
        "examples_per_second": statistics.median(rates),
        "epochs": len(rates),
        "disk_bytes": bytes_read() - before,
    }


def main() -> None:
    """Measure memory and speed and write benchmarks/results/larger_than_memory.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, default=10.0, help="GB of the set on disk")
    parser.add_argument("--minutes", type=float, default=0.5, help="of training in each turn")
    parser.add_argument("--turns", type=int, default=4, help="of each of the two")
    parser.add_argument("--folder", type=Path, help="where the set is written; deleted at the end")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.minutes)
        return
    name, images = real_images()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        whole, part, small = (Path(folder) / f"{n}.npy" for n in ("all", "part", "small"))
        began = time.perf_counter()
        count = write_tiled(whole, images, options.size)
        print(
            f"{count:,} images of {name} written in {time.perf_counter() - began:.0f} s", flush=True
        )
        rolled = np.lib.format.open_memmap(whole, "r")
        np.save(part, rolled[np.linspace(0, count - 1, FITS).astype(int)])
        np.save(small, rolled[np.linspace(0, count - 1, SMALL).astype(int)])
        del rolled
        memory = {"disk": memory_of(whole, options.minutes), "small": memory_of(small, 0.1)}
        beyond = {key: memory["disk"][key] - memory["small"][key] for key in ("VmHWM", "RssAnon")}
        print(f"memory beyond the model: {beyond}", flush=True)
        data = {
            "disk": lb.data.read(whole, stream=True),
            "memory": lb.data.read(part, stream=False),
        }
        turns = {"disk": [], "memory": []}
        for _ in range(options.turns):
            for kind, found in turns.items():
                found.append(turn(data[kind], options.minutes))
                print(kind, found[-1], flush=True)
    pairs = zip(turns["disk"], turns["memory"], strict=True)
    ratios = [a["examples_per_second"] / b["examples_per_second"] for a, b in pairs]
    write(
        "larger_than_memory",
        {
            "data": f"{count:,} images of {name}, rolled copies, {options.size:g} GB",
            "model": "the default pair of 784-512-512 units, batches of 128",
            "seed": 0,
            "threads": torch.get_num_threads(),
            "minutes_a_turn": options.minutes,
            "memory": memory,
            "bytes_beyond_the_model": beyond,
            "turns": turns,
            "speed_ratios": ratios,
            "speed_ratio": statistics.median(ratios),
        },
    )
    print(f"from disk {statistics.median(ratios):.2f} times as fast as in memory")


if __name__ == "__main__":
    main()

"""Choose how updates are executed, from the settings, the machine and the sizes alone."""

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import nn

from lowerbound.core import Model
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.objectives import Objective
from lowerbound.training.execution import Execution
from lowerbound.training.precision import choose_precision, operations
from lowerbound.training.settings import Training
from lowerbound.training.team import Team

#: Updates from which compiling is repaid, by kind of device. On a CPU: the case "compiled" of
#: benchmarks/results/speed.json, a small model, with room for noise. On CUDA: not measured yet.
COMPILE_FROM = {"cpu": 60_000, "cuda": 3_000}
#: Limit for a training that the clock ends, minutes.
COMPILE_FROM_MINUTES = {"cpu": 15.0, "cuda": 3.0}
#: Precisions in which convolutions want weights laid out channels last, by kind of device. On a
#: CPU: "channels" in benchmarks/results/execution.json. On CUDA: not measured yet.
CHANNELS_LAST = {"cpu": ("float32", "bfloat16"), "cuda": ("bfloat16",)}

#: Floating-point operations of a pass below which it is left to one thread: two would save up to
#: 16 % on idle cores and take up to 2.6 times as long where other work keeps one core busy. Where
#: OMP_WAIT_POLICY has them wait asleep, as the command line does, one is faster up to more. See
#: "threads_by_waiting" in benchmarks/results/execution.json.
ONE_THREAD_BELOW, ONE_THREAD_BELOW_PASSIVE = 5e7, 2e8


def choose(
    model: Model,
    objective: Objective,
    training: Training,
    device: torch.device,
    updates: int,
    example: Batch,
) -> Execution:
    """Choose how to execute a training; settings that are not "auto" are taken as they are.

    Nothing is decided by a stopwatch, so that a training is executed in the same way each time.
    `example` is a batch to count operations and try precision on.
    """
    compiled, why_compiled = _compile(training, device, updates)
    counted = cache(partial(operations, model, objective, device, example))
    precision, why_precision = choose_precision(
        model, objective, training, device, example, counted
    )
    threads, why_threads = _threads(device, counted)
    kinds = nn.Conv2d | nn.ConvTranspose2d
    convolutions = any(isinstance(part, kinds) for part in model.modules())
    channels_last = convolutions and precision in CHANNELS_LAST.get(device.type, ())
    reasons = [why_precision, why_compiled, *why_threads]
    if convolutions:
        reasons.append(
            "channels last: the layout that these convolutions are fastest in"
            if channels_last
            else "channels first, as weights are stored"
        )
    if training.checkpoint:
        reasons.append("activations are computed again in the backward pass: checkpoint=true")
    cuda = device.type == "cuda"
    return Execution(
        precision, compiled, compiled and cuda, channels_last, training.checkpoint, threads,
        late=cuda, reasons=tuple(reasons),
    )  # fmt: skip


def for_team(execution: Execution, training: Training, team: Team) -> Execution:
    """Adapt a choice to several processes: they execute as process 0 does, and do not compile."""
    if not team.many:
        return execution
    if training.compile == "on":
        raise SettingError(
            "several processes draw the noise of the whole batch together, which a compiled pass "
            "does not; leave compile at 'auto', or train in one process"
        )
    told = Execution.from_json(json.loads(team.group.tell(json.dumps(execution.to_json()))[0]))
    why = "not compiled: several processes draw the noise of the whole batch together"
    return told.but("compiled", why, compile=False, graphs=False)


def _threads(device: torch.device, counted: Callable[[], float]) -> tuple[int, list[str]]:
    there = torch.get_num_threads()
    if device.type != "cpu" or there == 1:
        return 0, []
    passive = os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    least = ONE_THREAD_BELOW_PASSIVE if passive else ONE_THREAD_BELOW
    work = counted()
    if work < least:
        why = f"one thread of {there}: a pass is {work:.2g} operations, and sharing fewer than"
        return 1, [f"{why} {least:.2g} gains little or nothing"]
    return 0, [f"{there} threads"]


def _compile(training: Training, device: torch.device, updates: int) -> tuple[bool, str]:
    if training.compile != "auto":
        return training.compile == "on", f"compiled: {training.compile}, as told"
    if training.checkpoint:
        return False, "not compiled: activations are computed again, which it would undo"
    missing = _missing_compiler(device)
    if missing:
        return False, f"not compiled: {missing}"
    if training.minutes is not None:
        least = COMPILE_FROM_MINUTES[device.type]
        enough = training.minutes >= least
        told = f"{training.minutes:g} minutes, and it is repaid from about {least:g} minutes on"
    else:
        least = COMPILE_FROM[device.type]
        enough = updates >= least
        told = f"{updates:,} updates, and it is repaid from about {least:,} on"
    return enough, f"{'' if enough else 'not '}compiled: {told}"


def _missing_compiler(device: torch.device) -> str:
    if device.type == "cuda":
        return "" if importlib.util.find_spec("triton") else "triton is not installed"
    if device.type != "cpu":
        return f"not tried on {device.type}"
    names = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    return "" if any(name and shutil.which(name) for name in names) else "there is no C++ compiler"

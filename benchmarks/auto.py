"""Does `auto` choose well? Its choice and others for each kind of data, at equal time.

Each is trained for the same seconds of one core: an update is timed first, and the number of epochs
follows from it, so that the schedule is as long as the time is. Compared is log p(x) of the test
part, the bound of 50 draws, before and after the prior is refitted: nats per example, and its
difference from the choice of `auto` example by example, with the standard error of that.

    python benchmarks/auto.py [--kinds KIND ...] [--seconds S] [--mnist mnist:FOLDER]

Rows are added to benchmarks/results/auto.json, or replace those of the same kind of data.
"""

import argparse
import json
import math
import time
from dataclasses import replace
from typing import Any

import datasets
import torch
from results import DIRECTORY, write

import lowerbound as lb
from lowerbound.catalogue.assemble import arguments_of
from lowerbound.catalogue.refit import apply, refit
from lowerbound.catalogue.settings import settings_of
from lowerbound.evaluation import evidence
from lowerbound.seeding import seeded

#: The laws that columns of a table have where their numbers are not cut into bins.
BY_KIND = {"likelihood": "auto", "inputs": "standardized"}
#: Those that they have where there are too few rows to cut them: Student t, and the rest by kind.
FEW = {"likelihood": "binned", "inputs": "standardized", "bins": False}
#: By kind of data: a data set, and by name the settings of each choice; the first is that of auto.
KINDS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "grey images": (
        "fashion-mnist",
        {
            "auto": {},
            "residual convolutions": {"network": "residual"},
            "mixture of logistics": {"likelihood": "logistic-mixture"},
        },
    ),
    "binary images": (
        "mnist, drawn from grey levels",
        {"auto": {}, "residual convolutions": {"network": "residual"}},
    ),
    "colour images": (
        "patches",
        {
            "auto": {},
            "fully connected": {"network": "mlp"},
            "mixture of logistics": {"likelihood": "logistic-mixture"},
            "fully connected, mixture of logistics": {
                "network": "mlp",
                "likelihood": "logistic-mixture",
            },
        },
    ),
    "faces": (
        "faces",
        {
            "auto": {},
            "fully connected": {"network": "mlp"},
            "mixture of logistics": {"likelihood": "logistic-mixture"},
        },
    ),
    "few grey images": (
        "fashion-small, 400 of them",
        {"auto": {}, "fully connected": {"network": "mlp"}},
    ),
    "table of words and numbers": (
        "adult",
        {"auto": {}, "by kind of column": BY_KIND},
    ),
    "table of numbers": (
        "housing",
        {
            "auto": {},
            "by kind of column": BY_KIND,
            "Student t for the real ones": FEW,
        },
    ),
    "counts": (
        "cells",
        {
            "auto": {},
            "with further zeros": {"likelihood": "zero-inflated-negative-binomial"},
            "Poisson": {"likelihood": "poisson"},
            "encoder sees counts": {"inputs": "standardized"},
        },
    ),
}
#: Test examples that are judged, and draws of each.
JUDGED, DRAWS = 300, 50
#: Updates that are timed.
TIMED = 10


def main() -> None:
    """Train every choice of every kind, and write benchmarks/results/auto.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mnist", default="mnist")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for kind in options.kinds:
        name, choices = KINDS[kind]
        data = datasets.named(name, options.mnist)
        test = data.test.load()
        test = test.select(torch.arange(min(JUDGED, len(test))))
        base: dict[str, torch.Tensor] = {}
        rows = []
        for choice, settings in choices.items():
            row, each = study(data, test, settings, options.seconds, options.seed)
            base = base or each
            for when, values in each.items():
                apart = values - base[when]
                row[f"{when}_against_auto"] = float(apart.mean())
                row[f"{when}_error"] = float(apart.std() / math.sqrt(len(apart)))
            rows.append({"kind": kind, "data": name, "choice": choice, **row})
            print(rows[-1], flush=True)
        keep(kind, rows)


def study(
    data: lb.data.Data, test: Any, settings: dict[str, Any], seconds: float, seed: int
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Train one choice for some seconds; return a row, and log p of each test example."""
    epochs = epochs_in(seconds, data, settings, seed)
    made = assembled(data, settings, epochs, seed)
    began = time.process_time()
    fitted = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    trained = time.process_time() - began
    model = fitted.model
    found = refit(model, data, made.refit, seed=seed) if made.refit else None
    refitted = time.process_time() - began - trained
    plain = evidence(model, test, DRAWS, seed=seed)
    better = plain if found is None else evidence(apply(model, found), test, DRAWS, seed=seed)
    discrete = all(lb.data.KINDS[field.kind].discrete for field in data.schema.modelled)
    bits = math.log(2) * data.schema.dimensions
    row = {
        "recipe": made.recipe.name,
        "likelihood": made.settings["likelihood"],
        "network": made.settings["network"],
        "epochs": epochs,
        "cpu_seconds": round(trained, 1),
        "refit_cpu_seconds": round(refitted, 1),
        "refitted": None if found is None else found.settings,
        "test_examples": len(test),
        "elbo": float(plain.elbo.mean()),
        "elbo_refitted": float(better.elbo.mean()),
        "log_likelihood": float(plain.log_likelihood.mean()),
        "log_likelihood_refitted": float(better.log_likelihood.mean()),
        "bits_per_cell": -float(better.log_likelihood.mean()) / bits if discrete else None,
    }
    return row, {"before": plain.log_likelihood, "refitted": better.log_likelihood}


def epochs_in(seconds: float, data: lb.data.Data, settings: dict[str, Any], seed: int) -> int:
    """Find the number of epochs that take so many seconds of one core, by timing some updates."""
    made = assembled(data, settings, 3, seed)
    size = made.training.batch_size
    few = min(TIMED * size, len(data.train))
    held = min(100, len(data.validation))
    some = replace(
        data,
        train=data.train.select(torch.arange(few)),
        validation=data.validation.select(torch.arange(held)),
    )
    clock = Clock()
    lb.fit(made.model, made.objective, some, made.training, seed=seed, callbacks=[clock])
    an_update = (clock.at[-1] - clock.at[-2]) / math.ceil(few / size)
    return max(1, round(seconds / (an_update * math.ceil(len(data.train) / size))))


def assembled(
    data: lb.data.Data, settings: dict[str, Any], epochs: int, seed: int
) -> lb.catalogue.Assembly:
    """Assemble a choice, and leave nothing to the policy that the choice decides."""
    settings, schema = dict(settings), data.schema
    if not settings.pop("bins", True):
        fields = tuple(replace(field, bins=None) for field in schema.fields)
        schema = replace(schema, fields=fields)
    given = {"epochs": epochs, "patience": None, "compile": "off"}
    by_kind = settings.get("likelihood") == "auto"  # to the policy: choose
    given |= {} if by_kind else settings
    made = lb.catalogue.assemble("auto", schema, given, examples=len(data.train), seed=seed)
    if not by_kind:
        return made
    chosen = {**made.settings, **settings}
    known = {k: v for k, v in settings_of(made.recipe).items() if k in chosen}
    with seeded(seed):
        model, objective = made.recipe(schema, **arguments_of(known, chosen))
    return replace(made, model=model, objective=objective, settings=chosen)


class Clock(lb.training.Callback):
    """The seconds of the processor at the end of each epoch."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def on_epoch(self, epoch: Any, best: object) -> None:
        """Read the clock."""
        self.at.append(time.process_time())


def keep(kind: str, rows: list[dict[str, Any]]) -> None:
    """Put the rows of a kind among those of others."""
    path = DIRECTORY / "auto.json"
    before = json.loads(path.read_text()) if path.exists() else {"rows": []}
    others = [row for row in before["rows"] if row["kind"] != kind]
    unit = f"nats per example, log p(x) by {DRAWS} draws"
    write("auto", {"unit": unit, "rows": others + rows, "notes": before.get("notes", [])})


if __name__ == "__main__":
    main()

"""What a prior that is fitted after training buys, and what it costs.

The default model of a data set is trained once for each seed, under N(0, I). Then a mixture is
fitted to its encodings, its size chosen by the validation part (`lowerbound.catalogue.refit`).
Compared on the test part: ELBO and log p(x), and samples with held-out data: Frechet distance,
precision, recall and coverage, and how often a classifier tells them from data (of tables the area
under its ROC curve); each beside the same measure of real examples in the place of samples.

    python benchmarks/refit.py [--data NAME ...] [--seeds S] [--samples N] [--mnist mnist:FOLDER]

Rows are added to benchmarks/results/refit.json, or replace those of the same data and seed.
"""

import argparse
import json
import time
from typing import Any

import datasets
import torch
from results import DIRECTORY, write

import lowerbound as lb
from lowerbound.applications import generate, generate_rows
from lowerbound.catalogue.gaps import fit_gaps
from lowerbound.catalogue.refit import apply, refit
from lowerbound.evaluation import evaluate
from lowerbound.evaluation.quality import sample_quality
from lowerbound.evaluation.synthetic import judged_columns, synthetic_quality


def main() -> None:
    """Train, refit, compare, and write benchmarks/results/refit.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["fashion-small"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=700, help="compared with as many real ones")
    parser.add_argument("--mnist", default="mnist")
    options = parser.parse_args()
    for name in options.data:
        data = datasets.named(name, options.mnist)
        for seed in range(options.seeds):
            rows = list(study(name, data, seed, options.samples))
            keep(name, seed, rows)


def study(name: str, data: lb.data.Data, seed: int, samples: int) -> Any:
    """Train once, and judge the model under either prior."""
    began = time.process_time()
    made = lb.catalogue.assemble("auto", data.schema, examples=len(data.train), seed=seed)
    result = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    trained = time.process_time() - began
    began, wall = time.process_time(), time.perf_counter()
    found = refit(result.model, data, seed=seed)
    seconds, wall = time.process_time() - began, time.perf_counter() - wall
    models = {"N(0, I)": result.model}
    if found is not None:
        models["mixture"] = apply(result.model, found)
    for prior, model in models.items():
        stated = evaluate(model, data, samples=100)
        row = {
            "data": name,
            "seed": seed,
            "prior": prior,
            "components": found.settings if found is not None and prior == "mixture" else None,
            "train_cpu_seconds": round(trained, 1),
            "refit_seconds": wall,
            "refit_cpu_seconds": round(seconds, 2),
            "elbo": stated.elbo.mean,
            "log_likelihood": stated.log_likelihood.mean,
            "test_examples": len(data.test),
            **quality(model, data, samples, seed),
        }
        print(row, flush=True)
        yield row


def quality(model: Any, data: lb.data.Data, samples: int, seed: int) -> dict[str, Any]:
    """Measure samples beside held-out data; of a table by the measures of synthetic rows."""
    test = data.test.load()
    count = min(samples, len(test))
    if data.schema.is_table:
        gaps = fit_gaps(model, data, seed=seed)
        x, known = generate_rows(model, None if gaps is None else gaps.law, count, seed=seed)
        rows = [judged_columns(x, data.schema, known)]
        rows += [judged_columns(p.x, data.schema, p.observed) for p in (data.train.load(), test)]
        told = synthetic_quality(*rows, seed=seed)
        names = ("told apart, boosted", "told apart, logistic", "coverage", "recall", "precision")
        measures = {key: told.measures[key] for key in names}
    else:
        condition = None
        if data.schema.told:  # as deep as cells of the training are
            some = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
            told = data.train.load().condition
            assert told is not None
            condition = told[some[:count]]
        drawn = generate(model, count, seed=seed, condition=condition)
        found = sample_quality(
            drawn, data.train.load(), test, schema=data.schema, most=count, seed=seed
        )
        names = ("frechet", "precision", "recall", "coverage", "two_sample")
        measures = {key: found.measures[key] for key in names}
    values = {key: part.value for key, part in measures.items()}
    nulls = {f"{key}_of_real": part.null for key, part in measures.items()}
    return {"samples": count, **values, **nulls}


def keep(name: str, seed: int, rows: list[dict[str, Any]]) -> None:
    """Put the rows of a data set and seed among those of others."""
    path = DIRECTORY / "refit.json"
    before = json.loads(path.read_text()) if path.exists() else {"rows": []}
    others = [row for row in before["rows"] if (row["data"], row["seed"]) != (name, seed)]
    notes = before.get("notes", [])
    write("refit", {"unit": "nats per example", "rows": others + rows, "notes": notes})


if __name__ == "__main__":
    main()

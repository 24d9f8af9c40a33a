"""Is z used in texts, or only paid for?

WordNet's example phrases (Debian's wordnet-base) are learned by `text-vae` in stages, as it is by
default, and without: with the encoder there from the start, at the full price but for free bits.
Beside both stands the same decoder, trained for as many updates as a language model, at z = 0,
whose log p(x) is exact. Compared, on held-out phrases: the bounds on log p(x), the rate, the mutual
information of x and z, the nats that z saves (the language model's -log p(x) less the distortion),
and the nats that the z of another phrase costs.

    python benchmarks/texts.py [--phrases 4000] [--longest 40] [--epochs 6] [--set hidden=192 ...]

Of all trainings the last weights are kept, averaged, with the same dropout.
"""

import argparse
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import results
import torch

import lowerbound as lb
from lowerbound.applications import interpolate
from lowerbound.catalogue import assemble
from lowerbound.data import texts_of
from lowerbound.evaluation import information, score, swap

WORDNET = Path("/usr/share/wordnet")
#: Bytes of a phrase, at least and at most; held-out phrases that are measured.
SHORTEST, MEASURED = 5, 300
SMALL = {"hidden": 192, "latents": 16, "embedding": 64}
WAYS = {
    "in stages": {},
    "encoder from the start": {"alone": 0, "cheap": 0, "full": 0, "floor": 0.3},
    "nothing done": {"alone": 0, "cheap": 0, "full": 0, "floor": 0},
}


def phrases(count: int, longest: int) -> list[str]:
    """Return example phrases of WordNet, in an order that does not depend on the machine."""
    found = set()
    for part in ("noun", "verb", "adj", "adv"):
        text = (WORDNET / f"data.{part}").read_text("ascii", "ignore")
        glosses = re.findall(r"\| (.*)", text)
        found |= {one.strip() for gloss in glosses for one in re.findall(r'"([^"]+)"', gloss)}
    kept = sorted(one for one in found if SHORTEST <= len(one) <= longest)
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))
    return [kept[place] for place in order[:count].tolist()]


def main() -> None:
    """Train all of them and write benchmarks/results/texts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phrases", type=int, default=4000)
    parser.add_argument("--longest", type=int, default=40, help="bytes of a phrase")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--set", nargs="*", type=lambda t: tuple(t.split("=")), default=[])
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    given = parser.parse_args()
    data, settings = lb.read(phrases(given.phrases, given.longest)), SMALL | dict(given.set)
    record: dict[str, Any] = {
        "compares": "held-out phrases, nats per phrase, ends counted",
        "command": shlex.join(["python", "benchmarks/texts.py", *sys.argv[1:]]),
        "phrases": len(data.train),
        "epochs": given.epochs,
        "settings": settings,
        "measured": min(MEASURED, len(data.test)),
        "seeds": [],
    }
    for seed in given.seeds:
        row: dict[str, Any] = {"seed": seed, "language model": bar(data, settings, given, seed)}
        record["seeds"].append(row)
        print(row, flush=True)
        for name in given.ways:
            told = {**settings, **WAYS[name]}
            row[name] = study(data, told, given.epochs, seed, row["language model"])
            print(name, row[name], flush=True)
            results.write("texts", record)


def bar(
    data: lb.Data, settings: dict[str, Any], given: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """Train the decoder alone, and judge it by the exact log p(x) that it has at z = 0."""
    model, seconds = trained(data, {**settings, "alone": 1}, given.epochs, seed)
    return {"log_p": round(alone(model, data), 2), "seconds": seconds}


def study(
    data: lb.Data, settings: dict[str, Any], epochs: int, seed: int, language: dict[str, Any]
) -> dict[str, Any]:
    """Train a VAE, and measure what z is worth."""
    model, seconds = trained(data, settings, epochs, seed)
    held = data.test.few(MEASURED).load()
    bounds, use = score(model, held, samples=50), swap(model, held, seed=0)
    with torch.no_grad():
        trace = model.trace(held.batch(slice(None)), 8)
    distortion, rate = -float(trace.log_px.mean()), -float(bounds.elbo.mean())
    rate -= distortion
    ways = [texts_of(interpolate(model, held.x[i], held.x[i + 1], steps=7).numpy()) for i in (0, 2)]
    return {
        "elbo": round(float(bounds.elbo.mean()), 2),
        "log_p_at_least": round(float(bounds.log_likelihood.mean()), 2),
        "rate": round(rate, 2),
        "distortion": round(distortion, 2),
        "mutual_information": mutual(model, held),
        "saved": round(-language["log_p"] - distortion, 2),
        "swap": round(use.mean, 2),
        "swap_standard_error": round(use.standard_error or 0.0, 2),
        "log_p_at_zero": round(alone(model, data), 2),
        "seconds": seconds,
        "ways": ways,
    }


def mutual(model: lb.VAE, held: Any) -> list[float]:
    """Return bounds on the mutual information of x and z."""
    found = information(model, held, seed=0)
    between = found.mutual_information
    return [round(between.lower.mean, 2), round(between.upper.mean, 2)]


@torch.no_grad()
def alone(model: lb.VAE, data: lb.Data) -> float:
    """Mean log p(x | z = 0)."""
    held = data.test.few(MEASURED).load()
    z = torch.zeros(len(held), model.latents["z"].units)
    return float(model.decode({"z": z}).log_prob(held.x).mean())


def trained(
    data: lb.Data, settings: dict[str, Any], epochs: int, seed: int
) -> tuple[lb.VAE, float]:
    """Train, and say how many seconds of processor it took."""
    start = time.process_time()
    told = {"epochs": epochs, "patience": epochs, "keep": "last", **settings}
    made = assemble("text-vae", data.schema, told, examples=len(data.train), seed=seed)
    lb.fit(made.model, made.objective, data, made.training, seed=seed)
    return made.model.eval(), round(time.process_time() - start, 1)  # type: ignore[return-value]


if __name__ == "__main__":
    main()

"""Is z used in texts, or only paid for?

Texts of a file, one a line, are learned by `text-vae` with its default settings, that is in stages;
with the encoder there from the start, over the same free bits; and with nothing done against a z
that is ignored. Beside them stands the same decoder, trained for as many updates as a language
model at z = 0, whose log p(x) is exact. Compared on held-out texts: the bounds on log p(x), the
rate, the mutual information of x and z, the nats that z saves (the distortion less than the
language model's -log p(x)), and the nats that the z of another text costs.

    python benchmarks/texts.py phrases.txt [--epochs 20 | --minutes 15] [--seeds 0 1 2]
        [--ways "in stages" ...] [--set hidden=192 ...] [--add]

WordNet's example phrases are written to a file by `--wordnet FOLDER` (Debian's wordnet-base). With
`--minutes` there are as many epochs as the training in stages does in so many minutes of the
processor, by the seconds of some updates. Seeds go one after the other; `--add` leaves those of
an earlier call in the file.
"""

import argparse
import json
import re
import shlex
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import results
import torch

import lowerbound as lb
from lowerbound.applications import generate, interpolate, reconstruct
from lowerbound.catalogue import assemble
from lowerbound.catalogue.refit import apply, refit_after
from lowerbound.data import texts_of
from lowerbound.evaluation import information, score, swap
from lowerbound.objectives.staged import WithoutLatents

#: Held-out texts whose bound is importance-weighted, and by how many draws.
MEASURED, DRAWS = 300, 500
#: Pairs of texts between which ways are shown, and those whose points are counted.
SHOWN, COUNTED = 4, 50
WAYS: dict[str, dict[str, Any]] = {
    "in stages": {},
    "encoder from the start": {"alone": 0, "cheap": 0, "full": 0},
    "nothing done": {"alone": 0, "cheap": 0, "full": 0, "floor": 0},
}


def phrases(folder: str) -> list[str]:
    """Return WordNet's example phrases of 5 to 120 ASCII characters, each once."""
    found: list[str] = []
    for part in ("noun", "verb", "adj", "adv"):
        text = (Path(folder) / f"data.{part}").read_text("ascii", "ignore")
        glosses = re.findall(r"\| (.*)", text)
        found += [one.strip() for gloss in glosses for one in re.findall(r'"([^"]+)"', gloss)]
    return [one for one in dict.fromkeys(found) if 5 <= len(one) <= 120]


def main() -> None:
    """Train all of them and write benchmarks/results/texts.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--wordnet", metavar="FOLDER", help="write its phrases to the file first")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--set", nargs="*", type=lambda t: tuple(t.split("=")), default=[])
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    parser.add_argument("--add", action="store_true")
    given = parser.parse_args()
    if given.wordnet:
        Path(given.file).write_text("\n".join(phrases(given.wordnet)) + "\n")
    data, settings = lb.read(given.file), dict(given.set)
    epochs = given.epochs or (given.minutes and fitting(data, settings, given.minutes))
    if epochs:
        settings["epochs"] = epochs
    made = assemble("text-vae", data.schema, settings, examples=len(data.train))
    record: dict[str, Any] = {
        "compares": "held-out texts, nats per text, ends counted",
        "command": shlex.join(["python", "benchmarks/texts.py", *sys.argv[1:]]),
        "file": Path(given.file).name,
        "texts": len(data.train),
        "held_out": len(data.test),
        "bytes": round(float((data.test.load().x > 0).sum(dim=1).double().mean()), 2),
        "settings": made.settings,
        "training": {k: v for k, v in made.training.to_json().items() if v is not None},
        "importance_weighted": [min(MEASURED, len(data.test)), DRAWS],
        "seeds": [],
    }
    path = results.DIRECTORY / "texts.json"
    for seed in given.seeds:
        row = study(data, settings, seed, given.ways)
        if given.add and path.exists():  # another call may have added to it meanwhile
            record["seeds"] = json.loads(path.read_text())["seeds"]
        record["seeds"] = [one for one in record["seeds"] if one["seed"] != seed] + [row]
        results.write("texts", record)


def fitting(data: lb.Data, settings: dict[str, Any], minutes: float) -> int:
    """Estimate how many epochs of the training in stages take so many minutes."""
    made = assemble("text-vae", data.schema, settings, examples=len(data.train), seed=0)
    alone, size = made.objective.alone, made.training.batch_size  # type: ignore[attr-defined]
    batches = list(data.train.load().batches(size))[:20]
    seconds = []
    for fraction in (0.0, 1.0):
        start = time.process_time()
        for batch in batches:
            (-made.objective.at(fraction)(made.model, batch).value.mean()).backward()
        seconds.append((time.process_time() - start) / len(batches))
    each = alone * seconds[0] + (1 - alone) * seconds[1]
    return max(1, round(60 * minutes / (each * len(data.train) / size)))


def study(data: lb.Data, settings: dict[str, Any], seed: int, ways: list[str]) -> dict[str, Any]:
    """Train the language model and the VAEs of one seed, and measure what z is worth."""
    bar, seconds = trained(data, settings, seed, language=True)
    exact = alone(bar, data)
    letters = float((data.test.load().x > 0).sum(dim=1).double().mean()) + 1
    to_bits = 1 / (letters * torch.tensor(2.0).log().item())
    row: dict[str, Any] = {
        "seed": seed,
        "language model": {
            "log_p": round(float(exact.mean()), 3),
            "bits_a_character": round(-float(exact.mean()) * to_bits, 4),
            "seconds": seconds,
        },
    }
    print(row, flush=True)
    for name in ways:
        model, seconds = trained(data, {**settings, **WAYS[name]}, seed)
        found = refit_after(model, data, "mixture", seed=seed)
        model = model if found is None else apply(model, found)
        row[name] = {
            **measures(model, data, exact),
            "refit": None if found is None else {**found.settings, "gain": round(found.gain, 3)},
            "seconds": seconds,
        }
        print(name, json.dumps(row[name], indent=1), flush=True)
    return row


@torch.no_grad()
def measures(model: lb.VAE, data: lb.Data, exact: torch.Tensor) -> dict[str, Any]:
    """Measure a VAE beside `exact`, log p of the held-out texts by the language model."""
    held = data.test.load()
    few = held.few(MEASURED)
    traces = [model.trace(held.batch(slice(at, at + 500))) for at in range(0, len(held), 500)]
    distortion = -torch.cat([trace.log_px[0] for trace in traces])
    rate = torch.cat([lb.ELBO().reduce(trace).rate for trace in traces])
    means = torch.cat([trace.latents["z"].q.mean for trace in traces])  # type: ignore[union-attr]
    found = score(model, few, samples=DRAWS)
    between = information(model, held, seed=0).mutual_information
    other = swap(model, held.few(2000), seed=0)
    return {
        "elbo": mean(-distortion - rate),
        "log_p_at_least": mean(found.log_likelihood),
        "language_model_of_these": mean(exact[: len(few)]),
        "elbo_less_language_model": with_error(-distortion - rate - exact),
        "log_p_less_language_model": with_error(found.log_likelihood - exact[: len(few)]),
        "rate": mean(rate),
        "distortion": mean(distortion),
        "mutual_information": [round(one.mean, 2) for one in (between.lower, between.upper)],
        "active_units": int((means.reshape(len(held), -1).var(dim=0) > 0.01).sum()),
        "saved": mean(-exact - distortion),
        "saved_of_rate": round(float((-exact - distortion).mean() / rate.mean()), 3),
        "swap": [round(other.mean, 2), round(other.standard_error or 0.0, 2)],
        "log_p_at_zero": mean(alone(model, data)),
        **shown(model, held),
    }


def shown(model: lb.VAE, held: Any) -> dict[str, Any]:
    """Decode: reconstructions, ways between two texts, draws; the most probable bytes but those."""
    few = held.few(300)
    texts, back = (texts_of(x.numpy()) for x in (few.x, reconstruct(model, few)))
    way = partial(interpolate, model, steps=7)
    pairs = [texts_of(way(held.x[2 * i], held.x[2 * i + 1]).numpy()) for i in range(COUNTED)]
    begins = [a.split()[:1] == b.split()[:1] for a, b in zip(texts, back, strict=True)]
    return {
        "reconstructed_exactly": round(sum(map(str.__eq__, texts, back)) / len(texts), 3),
        "first_word_reconstructed": round(sum(begins) / len(texts), 3),
        "ways_of_four_texts": sum(len(set(points)) >= 4 for points in pairs) / COUNTED,
        "reconstructions": [list(pair) for pair in zip(texts[:8], back[:8], strict=True)],
        "ways": [[*texts[2 * i : 2 * i + 2], *pairs[i]] for i in range(SHOWN)],
        "draws": texts_of(generate(model, 8, seed=0).numpy()),
    }


@torch.no_grad()
def alone(model: lb.VAE, data: lb.Data) -> torch.Tensor:
    """Log p(x | z = 0) of each held-out text."""
    parts = data.test.load().x.split(500)
    zeros = [torch.zeros(len(x), model.latents["z"].units) for x in parts]
    return torch.cat(
        [model.decode({"z": z}).log_prob(x) for z, x in zip(zeros, parts, strict=True)]
    )


def trained(
    data: lb.Data, settings: dict[str, Any], seed: int, *, language: bool = False
) -> tuple[lb.VAE, float]:
    """Train, and say how many seconds of processor it took."""
    start = time.process_time()
    made = assemble("text-vae", data.schema, settings, examples=len(data.train), seed=seed)
    objective = WithoutLatents(lb.ELBO()) if language else made.objective
    lb.fit(made.model, objective, data, made.training, seed=seed)
    return made.model.eval(), round(time.process_time() - start, 1)  # type: ignore[return-value]


def mean(values: torch.Tensor) -> float:
    """Round a mean."""
    return round(float(values.double().mean()), 3)


def with_error(values: torch.Tensor) -> list[float]:
    """Round a mean and its standard error."""
    return [mean(values), round(float(values.double().std()) / len(values) ** 0.5, 3)]


if __name__ == "__main__":
    main()

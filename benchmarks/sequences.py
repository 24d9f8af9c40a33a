"""How fast texts are: an update against that of a bare GRU, drawing, reading.

    python benchmarks/sequences.py

Texts are made of the words of a list, 100,000 of them. An update is that of `text-vae` with bytes,
while the decoder is alone and with the encoder, and that of a GRU and a linear layer of the same
sizes on the same batches, by the same optimiser, in turns, with products in float32 and in
bfloat16, of which a training chooses the faster. Seconds are of the processor, medians.
"""

import random
import time
from contextlib import nullcontext
from functools import partial
from statistics import median

import results
import torch
from torch import nn

import lowerbound as lb
from lowerbound.applications import generate
from lowerbound.catalogue import assemble
from lowerbound.training.forward import lowered

COUNT, HIDDEN, UPDATES = 100_000, 384, 12


def seconds(what):
    start = time.process_time()
    found = what()
    return time.process_time() - start, found


def texts():
    generator = random.Random(0)
    words = ["".join(generator.choices("etaoinshrdlu", k=generator.randint(1, 8)))
             for _ in range(3000)]  # fmt: skip
    return [" ".join(generator.choices(words, k=generator.randint(3, 8))) for _ in range(COUNT)]


class Bare(nn.Module):
    def __init__(self, levels, embedding):
        super().__init__()
        self.embed = nn.Embedding(levels, embedding)
        self.gru = nn.GRU(embedding, HIDDEN, batch_first=True)
        self.last = nn.Linear(HIDDEN, levels)

    def forward(self, x):
        before = nn.functional.pad(x[:, :-1], (1, 0))
        logits = self.last(self.gru(self.embed(before))[0])
        return -nn.functional.cross_entropy(logits.flatten(end_dim=1), x.flatten())


def main():
    taken, data = seconds(lambda: lb.read(texts()))
    rows = {"texts read": COUNT, "seconds of reading": taken}
    made = assemble("text-vae", data.schema, {"hidden": HIDDEN}, examples=len(data.train), seed=0)
    batch = next(iter(data.train.load().batches(made.training.batch_size)))
    x = batch.x.long()[:, : int((batch.x > 0).sum(dim=1).max()) + 1]
    bare = Bare(256, 64)
    ways = {
        "bare GRU": (bare, lambda: bare(x)),
        "decoder alone": (
            made.model,
            lambda: made.objective.at(0.0)(made.model, batch).value.mean(),
        ),
        "with encoder": (
            made.model,
            lambda: made.objective.at(0.9)(made.model, batch).value.mean(),
        ),
    }
    device = torch.device("cpu")
    precisions = {
        "float32": dict.fromkeys(ways, nullcontext),
        "bfloat16": {
            name: partial(torch.autocast, "cpu", torch.bfloat16)
            if name == "bare GRU"
            else partial(lowered, made.model, device)
            for name in ways
        },
    }
    for precision, contexts in precisions.items():
        spent = {name: [] for name in ways}
        for turn in range(UPDATES + 1):
            for name, (model, bound) in ways.items():
                optimiser = torch.optim.SGD(model.parameters(), 1e-4)

                def update(bound=bound, optimiser=optimiser, context=contexts[name]):
                    optimiser.zero_grad()
                    with context():
                        value = bound()
                    (-value).backward()
                    optimiser.step()

                once, _ = seconds(update)
                spent[name] += [once] if turn else []
        rows |= {f"{precision}, {name}": median(one) for name, one in spent.items()}
        bar = median(spent["bare GRU"])
        rows |= {
            f"{precision}, share of the bare GRU's speed, {name}": bar / median(one)
            for name, one in spent.items()
            if name != "bare GRU"
        }
    taken, _ = seconds(lambda: generate(made.model, 1000, seed=0))
    rows["seconds of 1,000 texts drawn"] = taken
    rows["their most bytes"] = data.schema.shape[0] - 1
    print(rows)
    results.write("sequences", {"hidden": HIDDEN, **rows})


if __name__ == "__main__":
    main()

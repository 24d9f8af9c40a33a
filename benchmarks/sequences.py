"""How fast texts are: an update against that of a bare GRU, drawing, reading.

    python benchmarks/sequences.py

Texts are made of the words of a list, 100,000 of them. An update is that of `text-vae` with bytes,
while the decoder is alone and with the encoder, and that of a GRU and a linear layer of the same
sizes on the same batches, by the same optimiser, in turns. Seconds are of the processor.
"""

import random
import time

import results
import torch
from torch import nn

import lowerbound as lb
from lowerbound.applications import generate
from lowerbound.catalogue import assemble

COUNT, HIDDEN, UPDATES = 100_000, 256, 8


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
    spent = dict.fromkeys(ways, 0.0)
    for turn in range(UPDATES + 1):
        for name, (model, bound) in ways.items():
            optimiser = torch.optim.SGD(model.parameters(), 1e-4)

            def update(bound=bound, optimiser=optimiser):
                optimiser.zero_grad()
                (-bound()).backward()
                optimiser.step()

            once, _ = seconds(update)
            spent[name] += once if turn else 0.0
    rows |= {f"seconds of an update, {name}": one / UPDATES for name, one in spent.items()}
    taken, _ = seconds(lambda: generate(made.model, 1000, seed=0))
    rows["seconds of 1,000 texts drawn"] = taken
    rows["their most bytes"] = data.schema.shape[0] - 1
    print(rows)
    results.write("sequences", {"hidden": HIDDEN, **rows})


if __name__ == "__main__":
    main()

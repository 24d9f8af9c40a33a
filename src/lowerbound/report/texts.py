"""Texts: drawn, there and back, and on the way; coloured by how surprising each byte is."""

from dataclasses import dataclass

import torch

from lowerbound.applications import encode, generate, interpolate, reconstruct
from lowerbound.core import Batch, device_of
from lowerbound.data import Examples, texts_of
from lowerbound.distributions import Sequence
from lowerbound.report.markup import Html, Missing, Panel, element, joined
from lowerbound.runs import Run

SAMPLES, PAIRS, WAYS, STEPS, COLOURED = 24, 12, 3, 7, 8
#: Nats of a byte at which its colour is full.
FULL = 6.0
SEED = 0


@dataclass(frozen=True)
class Texts:
    """Makes panels of the texts of one run.

    Args:
        run: Of texts.
        test: Held-out examples, or None.
    """

    run: Run
    test: Examples | None

    def samples(self) -> Panel:
        """Texts drawn from the model."""
        x = generate(self.run.model, SAMPLES, seed=SEED)
        caption = "Drawn from the model: z from the prior, then byte by byte from p(x|z)."
        return Panel("Samples", _lines(texts_of(x.numpy())), caption)

    def reconstructions(self) -> Panel | Missing:
        """Held-out texts and what comes back."""
        if self.test is None:
            return Missing("Reconstructions need the data.")
        some = self.test.few(PAIRS)
        back = reconstruct(self.run.model, some)
        rows = zip(texts_of(some.x.numpy()), texts_of(back.numpy()), strict=True)
        caption = (
            "Left: held-out texts. Right: the most probable bytes, one after the other, at the "
            "posterior mean of z. A text that z is too small for comes back as another like it."
        )
        return Panel("Reconstructions", _table(("held-out", "as it comes back"), rows), caption)

    def interpolations(self) -> Panel | Missing:
        """Ways from one held-out text to another."""
        if self.test is None or len(self.test) < 2 * WAYS:
            return Missing("Interpolations need the data.")
        ends = self.test.few(2 * WAYS).x
        ways = [
            texts_of(interpolate(self.run.model, ends[i], ends[i + 1], steps=STEPS).numpy())
            for i in range(0, 2 * WAYS, 2)
        ]
        caption = "Each column: the way between the encodings of two held-out texts, top to bottom."
        return Panel("Between two texts", _table((), zip(*ways, strict=True)), caption)

    def surprises(self) -> Panel | Missing:
        """Held-out texts, each byte as dark as it is surprising."""
        if self.test is None:
            return Missing("The surprise of each byte needs the data.")
        some = self.test.few(COLOURED)
        z = encode(self.run.model, some).groups
        device = device_of(self.run.model)
        with torch.no_grad():
            law = self.run.model.decode({name: part.to(device) for name, part in z.items()})
            if not isinstance(law, Sequence):
                return Missing("The model tells no byte from another.")
            nats = -law.cells(Batch(some.x).to(device).x).cpu()
        lines = [
            _coloured(row.tolist(), cells.tolist()) for row, cells in zip(some.x, nats, strict=True)
        ]
        caption = (
            "The darker a byte, the more nats it costs given those before it and z, at the "
            f"posterior mean; full colour is {FULL:g} nats. The mark at the end is the end's."
        )
        return Panel("Nats of each byte", element("div", *lines, class_="texts"), caption)


def _lines(texts: list[str]) -> Html:
    return element("div", *(element("p", text) for text in texts), class_="texts")


def _table(head: tuple[str, ...], rows) -> Html:  # type: ignore[no-untyped-def]
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    top = [element("thead", element("tr", *(element("th", one) for one in head)))] if head else []
    table = element("table", *top, element("tbody", *body), class_="texts")
    return element("div", table, class_="scroll")


def _coloured(tokens: list[int], nats: list[float]) -> Html:
    """One text as spans; the bytes of one character share theirs."""
    parts: list[Html] = []
    length = tokens.index(0) if 0 in tokens else len(tokens)
    start = 0
    while start < length:
        stop = start + 1
        while stop < length and tokens[stop] & 0xC0 == 0x80:
            stop += 1
        letter = bytes(tokens[start:stop]).decode("utf-8", "replace")
        parts.append(_span(letter, sum(nats[start:stop])))
        start = stop
    if length < len(tokens):
        parts.append(_span("\u25ae", nats[length]))
    return element("p", joined(parts))


def _span(letter: str, nats: float) -> Html:
    share = max(0.0, min(1.0, nats / FULL))
    return element(
        "span", letter, title=f"{nats:.2f} nats", style=f"background: rgb(213 94 0 / {share:.2f})"
    )

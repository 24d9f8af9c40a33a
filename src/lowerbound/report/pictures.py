"""Pictures in the page: samples, reconstructions, and ways through the latent space."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from lowerbound.applications import generate, interpolate, reconstruct, traverse
from lowerbound.applications.pictures import to_image, to_pixels
from lowerbound.core import View
from lowerbound.data import Examples
from lowerbound.report.markup import Html, Missing, Panel, element, joined
from lowerbound.runs import Run

#: About how long the longer side of a picture is in the page, in pixels.
SHOWN = 56
#: Pictures longer than this are made smaller, so that the file stays small.
LONGEST = 96
#: Bytes of a picture from which on fewer are shown.
LARGE = 6000
SEED = 0


@dataclass(frozen=True)
class Gallery:
    """Maker of pictures of a run of images and its held-out examples."""

    run: Run
    test: Examples | None

    @property
    def few(self) -> bool:
        """True if pictures are large, so that fewer are shown."""
        channels, height, width = self.run.schema.shape
        return channels * min(height, LONGEST) * min(width, LONGEST) > LARGE

    def samples(self, draw: bool) -> Panel:
        """Show new images, from the prior."""
        count = 24 if self.few else 60
        x = generate(self.run.model, count, draw=draw, seed=SEED)
        if draw:
            caption = (
                "x drawn from p(x|z), for the first of the same z: data as the model has it, "
                "noise included."
            )
            x = x[: count // 2]
            return Panel("Draws", self._box(self.cells(x, "draw"), "pictures"), caption)
        caption = (
            "z drawn from the prior; shown are means of p(x|z), as papers do. They are smoother "
            "than data, because a mean leaves out the noise of the likelihood."
        )
        return Panel("Samples", self._box(self.cells(x, "sample"), "pictures"), caption)

    def reconstructions(self) -> Panel | Missing:
        """Show held-out images above their reconstructions."""
        if self.test is None:
            return Missing("Reconstructions need the data.")
        some = self.test.select(torch.tensor(self._spread(8 if self.few else 16)))
        back = reconstruct(self.run.model, some)
        originals = self.cells(some.x, "held-out example", some)
        rebuilt = self.cells(back, "reconstruction", some)
        pairs = [
            element("div", above, below, class_="pair")
            for above, below in zip(originals, rebuilt, strict=True)
        ]
        caption = (
            "Above: held-out examples. Below: the mean of p(x|z) at the posterior mean of z. "
            "Details that are lost did not fit through the latents."
        )
        return Panel("Reconstructions", self._box(pairs, "pictures"), caption)

    def interpolations(self) -> Panel | Missing:
        """Show ways between held-out images."""
        if self.test is None or len(self.test) < 2:
            return Missing("Interpolations need two held-out examples.")
        index = self._spread(8)
        rows = []
        for a, b in list(zip(index[0::2], index[1::2], strict=False))[: 3 if self.few else 4]:
            batch = self.test.batch(torch.tensor([a, b]))
            start, end = View()(batch)
            way = interpolate(self.run.model, *batch.x, steps=8, observed=batch.observed)
            whole = torch.cat([start[None].to(way), way, end[None].to(way)])
            rows.append(self._strip(whole, "step", ends=True))
        caption = (
            "At both ends held-out examples as they are; between them decoded points on the way "
            "from one posterior mean to the other."
        )
        return Panel("Interpolations", joined(rows), caption)

    def traversals(self, units: Sequence[int], rates: Sequence[float] | None) -> Panel:
        """Show the effect of single latent units."""
        units = list(units)[: 6 if self.few else 8]
        frames = traverse(self.run.model, units, reach=3.0, steps=7 if self.few else 9)
        rows = []
        for row, unit in enumerate(units):
            rate = "" if rates is None else f"{rates[unit]:.2f} nats"
            label = element("div", f"z{unit}", element("small", rate), class_="unit")
            rows.append(self._strip(frames[row], f"unit {unit}", label))
        caption = (
            "Each row moves one unit from −3 to +3 standard deviations about the centre of the "
            "prior and leaves the others there; the units that carry most come first."
        )
        return Panel("Latent traversals", joined(rows), caption)

    def cells(self, x: Tensor, name: str, labels: Examples | None = None) -> list[Html]:
        """Make one `<img>` for each example."""
        cells = []
        for index, pixels in enumerate(self._pixels(x)):
            image = to_image(pixels)
            alt = f"{name} {index + 1}"
            if labels is not None and labels.label is not None:
                alt += f", {class_name(labels, int(labels.label[index]))}"
            cells.append(_img(image, alt))
        return cells

    def _pixels(self, x: Tensor):  # type: ignore[no-untyped-def]
        """Turn examples into bytes; reals are spread over the range of the data, not of `x`."""
        x = torch.nan_to_num(x.double())
        if self.run.schema.levels is None:
            known = x if self.test is None else torch.nan_to_num(self.test.x.double())
            low, high = known.min(), known.max()
            ends = torch.stack([low, high]).reshape(2, 1, 1, 1).expand(2, *x.shape[1:])
            return to_pixels(torch.cat([x.clamp(low, high), ends]), self.run.schema)[:-2]
        return to_pixels(x, self.run.schema)

    def _strip(
        self, x: Tensor, name: str, label: Html | None = None, *, ends: bool = False
    ) -> Html:
        cells = self.cells(x, name)
        class_ = "strip ends" if ends else "strip"
        row = self._box(cells, class_, columns=len(cells))
        return element("div", *([] if label is None else [label]), row, class_="way")

    def _box(self, cells: list[Html], class_: str, columns: int | None = None) -> Html:
        channels, height, width = self.run.schema.shape
        width *= 1 if channels in (1, 3) else channels
        factor = SHOWN / max(height, width)
        factor = max(1, round(factor)) if factor > 0.75 else factor
        style = f"--w:{max(4, min(width * factor, LONGEST)):.0f}px"
        if columns:
            style += f";--n:{columns}"
        return element("div", *cells, class_=class_, style=style)

    def _spread(self, count: int) -> list[int]:
        """Choose indices all over the held-out examples, alike for the same data."""
        total = 0 if self.test is None else len(self.test)
        count = min(count, total)
        return [i * total // count for i in range(count)]


def class_name(examples: Examples, label: int) -> str:
    """Name a class."""
    names = examples.label_names
    return names[label] if names is not None and 0 <= label < len(names) else f"class {label}"


def _img(image: Image.Image, alt: str) -> Html:
    small = max(image.size) <= LONGEST
    if not small:
        image = image.copy()
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    return element("img", src=source, alt=alt, class_=None if small else "smooth")

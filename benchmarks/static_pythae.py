"""The other side of `static.py`, run by pythae's own interpreter: train, then write the weights.

Arguments: KIND IMAGES OUT EPOCHS BATCH SEED THREADS. The last word printed is the seconds.
"""

import itertools
import sys
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn

#: Widths, latent units, nonlinearity, Adam's epsilon and epochs of the whole budget.
KINDS = {"vae": ([400], 40, nn.ReLU, 1e-8, 500), "iwae": ([200, 200], 50, nn.Tanh, 1e-4, 3280)}


class Encoder(BaseEncoder):
    def __init__(self, widths, latents, activation):
        super().__init__()
        self.latent_dim = latents
        sizes = [784, *widths]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.mean, self.log_var = nn.Linear(sizes[-1], latents), nn.Linear(sizes[-1], latents)
        self.activation = activation()

    def forward(self, x):
        h = x.flatten(start_dim=1)
        for layer in self.layers:
            h = self.activation(layer(h))
        return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))


class Decoder(BaseDecoder):
    def __init__(self, widths, latents, activation):
        super().__init__()
        sizes = [latents, *reversed(widths), 784]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.activation = activation()

    def forward(self, z):
        h = z
        for layer in self.layers[:-1]:
            h = self.activation(layer(h))
        h = torch.sigmoid(self.layers[-1](h))
        return ModelOutput(reconstruction=h.reshape(*z.shape[:-1], 1, 28, 28))


def main() -> None:
    kind, images, out = sys.argv[1:4]
    epochs, batch, seed, threads = map(int, sys.argv[4:])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    widths, latents, activation, epsilon, whole = KINDS[kind]
    sizes = {"input_dim": (1, 28, 28), "latent_dim": latents, "reconstruction_loss": "bce"}
    if kind == "vae":
        made, config = VAE, VAEConfig(**sizes)
        milestones, gamma = [200, 350], 10 ** (-1 / 5)
    else:
        made, config = IWAE, IWAEConfig(**sizes, number_samples=50)
        milestones = [(3**stage - 1) // 2 for stage in range(1, 8)]
        gamma = 10 ** (-1 / 7)
    parts = (widths, latents, activation)
    model = made(config, encoder=Encoder(*parts), decoder=Decoder(*parts))
    stored = np.load(images)
    sets = [
        BaseDataset(torch.from_numpy(stored[name]).float(), torch.zeros(len(stored[name])))
        for name in ("train", "validation")
    ]
    training = BaseTrainerConfig(
        output_dir="run", per_device_train_batch_size=batch, per_device_eval_batch_size=batch,
        num_epochs=epochs, learning_rate=1e-3, optimizer_cls="Adam",
        optimizer_params={"eps": epsilon}, scheduler_cls="MultiStepLR", seed=seed, no_cuda=True,
        scheduler_params={"milestones": [m * epochs // whole for m in milestones], "gamma": gamma},
    )  # fmt: skip
    trainer = BaseTrainer(
        model=model, train_dataset=sets[0], eval_dataset=sets[1], training_config=training
    )
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    model = trainer._best_model
    weights = {}
    for part, network in (("encoder", model.encoder), ("decoder", model.decoder)):
        for index, layer in enumerate(network.layers):
            weights[f"{part}.{index}"] = layer
    weights |= {"mean": model.encoder.mean, "log_var": model.encoder.log_var}
    np.savez(
        out,
        **{
            f"{name}.{key}": getattr(layer, key).detach().numpy()
            for name, layer in weights.items()
            for key in ("weight", "bias")
        },
    )
    print("seconds", seconds)


if __name__ == "__main__":
    main()

"""PyOD's VAE, run by its own interpreter: the same layers, batch and rows."""

from pyod.models.vae import VAE
from torch import Tensor

from sides.shapes import Case, run


def train(case: Case, examples: Tensor, held_out: Tensor):
    model = VAE(
        epoch_num=case.epochs,
        batch_size=case.batch,
        lr=case.rate,
        encoder_neuron_list=list(case.hidden),
        decoder_neuron_list=list(case.hidden[::-1]),
        latent_dim=case.latents,
        dropout_rate=0.0,
        optimizer_params={},
        verbose=0,
    )
    model.fit(examples.numpy())
    return lambda path: None


if __name__ == "__main__":
    run(train)

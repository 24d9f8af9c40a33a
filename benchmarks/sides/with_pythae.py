"""pythae's trainer on the networks of `shapes`, run by pythae's own interpreter."""

import tempfile

from pythae.data.datasets import BaseDataset
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor

from sides.shapes import Case, decoder, encoder, run, weights


class Encoder(BaseEncoder):
    def __init__(self, case: Case) -> None:
        BaseEncoder.__init__(self)
        self.network = encoder(case)

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.network(x).chunk(2, dim=-1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    def __init__(self, case: Case) -> None:
        BaseDecoder.__init__(self)
        self.network, self.sigmoid = decoder(case), case.likelihood == "bernoulli"

    def forward(self, z: Tensor) -> ModelOutput:
        out = self.network(z)
        return ModelOutput(reconstruction=out.sigmoid() if self.sigmoid else out)


def train(case: Case, examples: Tensor, held_out: Tensor):
    loss = "bce" if case.likelihood == "bernoulli" else "mse"
    shared = {"input_dim": case.shape, "latent_dim": case.latents, "reconstruction_loss": loss}
    parts = Encoder(case), Decoder(case)
    if case.samples == 1:
        model = VAE(VAEConfig(**shared), *parts)
    else:
        model = IWAE(IWAEConfig(**shared, number_samples=case.samples), *parts)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=case.epochs,
            learning_rate=case.rate,
            per_device_train_batch_size=case.batch,
            per_device_eval_batch_size=500,
            optimizer_cls="Adam",
            seed=case.seed,
        )
        sets = [BaseDataset(x.float(), x.new_zeros(len(x))) for x in (examples, held_out)]
        trainer = BaseTrainer(model, sets[0], eval_dataset=sets[1], training_config=config)
        trainer.train()
    return lambda path: weights(path, (model.encoder.network, model.decoder.network))


if __name__ == "__main__":
    run(train)

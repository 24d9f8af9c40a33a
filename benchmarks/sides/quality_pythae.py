"""pythae's VAE with its default training, for `time_to_quality.py`.

Run by pythae's own interpreter: CASE DATA WEIGHTS; the settings that are not the case's are those
that `BaseTrainerConfig` has by itself.
"""

import dataclasses
import json
import sys
import tempfile
import time

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig

from sides.shapes import Case, load, weights
from sides.with_pythae import Decoder, Encoder


def main() -> None:
    case, (examples, held_out) = Case.read(sys.argv[1]), load(sys.argv[2])
    torch.set_num_threads(case.threads)
    torch.manual_seed(0)
    config = VAEConfig(case.shape, case.latents, reconstruction_loss="bce")
    model = VAE(config, Encoder(case), Decoder(case))
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(output_dir=folder)
        sets = [BaseDataset(x.float(), x.new_zeros(len(x))) for x in (examples, held_out)]
        trainer = BaseTrainer(model, sets[0], eval_dataset=sets[1], training_config=settings)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    weights(sys.argv[3], (model.encoder.network, model.decoder.network))
    chosen = {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if field.name in ("num_epochs", "learning_rate", "per_device_train_batch_size")
    }
    print(json.dumps({"seconds": seconds, **chosen, "optimizer": settings.optimizer_cls}))


if __name__ == "__main__":
    main()

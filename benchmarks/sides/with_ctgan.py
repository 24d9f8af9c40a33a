"""CTGAN's TVAE, run by its own interpreter: the same layers, batch and rows."""

from ctgan import TVAE
from torch import Tensor

from sides.shapes import Case, run


def train(case: Case, examples: Tensor, held_out: Tensor):
    model = TVAE(
        embedding_dim=case.latents,
        compress_dims=case.hidden,
        decompress_dims=case.hidden[::-1],
        batch_size=case.batch,
        epochs=case.epochs,
    )
    model.fit(examples.numpy())
    return lambda path: None


if __name__ == "__main__":
    run(train)

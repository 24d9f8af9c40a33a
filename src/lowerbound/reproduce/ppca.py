"""Linear VAEs, whose best evidence is known in closed form: probabilistic PCA."""

from typing import Any

from lowerbound.reproduce.entry import Entry, Published, Source

_SOURCE = "Tipping & Bishop (1999), equation 8: the exact maximum, computed on the data"
_ADDRESS = "https://arxiv.org/abs/1911.02469"
_PROTOCOL = (
    "Every row is trained on, and the exact log evidence of the trained decoder is taken on the "
    "same rows; the maximum over all linear Gaussian models of so many latents is the figure."
)


def _entry(
    data: Source, words: str, latents: int, figure: float, training: dict[str, Any]
) -> Entry:
    return Entry(
        name=f"ppca-{data.removesuffix('-pixels')}-{latents}",
        title=f"{words}, a linear VAE with {latents} latent units",
        published=Published(figure, _SOURCE, _ADDRESS),
        data=data,
        protocol=_PROTOCOL,
        recipe="linear",
        settings={
            "hidden": (), "latents": latents, "learning_rate": 0.03, "warm_up": 0.05,
            "final_rate": 0.0, "average": 0.99, "keep": "last", **training,
        },
        samples=0,
        differs="Trained by stochastic gradients, where the closed form takes eigenvectors.",
        tolerance=0.01,
    )  # fmt: skip


ENTRIES = (
    _entry("iris", "Iris (150 x 4)", 2, 2.699752,
           {"epochs": 1000, "batch_size": 150, "samples": 4}),
    _entry("breast-cancer", "Breast cancer (569 x 30), standardised", 5, 24.625057,
           {"epochs": 3000, "batch_size": 569, "samples": 4}),
    _entry("digits", "Digits (1,797 x 64), from 0 to 1", 10, -17.451947,
           {"epochs": 600, "batch_size": 128, "samples": 2}),
    _entry("mnist-pixels", "MNIST (60,000 x 784), from 0 to 1", 2, -12.427659,
           {"epochs": 60, "batch_size": 500, "samples": 1, "learning_rate": 0.01}),
    _entry("mnist-pixels", "MNIST (60,000 x 784), from 0 to 1", 10, -182.154681,
           {"epochs": 300, "batch_size": 500, "samples": 1}),
)  # fmt: skip

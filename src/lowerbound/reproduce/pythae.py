"""Rows of pythae's own table of reproduced results, on the fixed binarisation of MNIST."""

from lowerbound.reproduce.burda import ENTRIES as _BURDA
from lowerbound.reproduce.entry import Entry, Published

_README = (
    "https://github.com/clementchadebec/benchmark_VAE/tree/main/examples/scripts/reproducibility"
)
_SOURCE = "pythae, table of reproduced results"
_STATIC = next(entry for entry in _BURDA if entry.name == "burda-iwae-50-static")

ENTRIES = (
    Entry(
        name="pythae-vae-static",
        title="MNIST (static binarisation), pythae's VAE: 784-400-40 with ReLU",
        published=Published(89.78, _SOURCE, _README),
        data="mnist-static",
        protocol="Larochelle's fixed binarisation: 50,000 training images; the weights of that "
        "epoch are kept whose bound on the 10,000 validation images is best; 10,000 test images.",
        recipe="vae",
        settings={
            "likelihood": "bernoulli",
            "network": "mlp",
            "hidden": (400,),
            "activation": "relu",
            "latents": 40,
            "init": "torch",
            "inputs": "raw",
            "samples": 1,
            "epochs": 500,
            "batch_size": 100,
            "learning_rate": 1e-3,
            "warm_up": 0.0,
            "decay": "cosine",
            "final_rate": 0.4,
            "epsilon": 1e-8,
            "clip": None,
            "average": None,
            "keep": "best",
            "patience": None,
            "precision": "float32",
        },
        samples=200,
        differs="Its learning rate falls to 0.63 and 0.40 of the peak at epochs 200 and 350, ours "
        "along a cosine to 0.40. Its encoder says the logarithm of the variance, ours that of the "
        "scale, and beyond 1 the scale itself.",
        others=((89.9, "Rezende & Mohamed (2015), arXiv 1505.05770"),),
    ),
    Entry(
        name="pythae-iwae-50-static",
        title="MNIST (static binarisation), pythae's IWAE with 50 draws",
        published=Published(86.82, _SOURCE, _README),
        data="mnist-static",
        protocol=_STATIC.protocol,
        recipe="iwae",
        settings={**_STATIC.settings, "init": "torch"},
        differs="The schedule is the paper's; its first stages are of other lengths. Its encoder "
        "says the logarithm of the variance, ours that of the scale, and beyond 1 the scale.",
        others=((87.10, "Burda et al. (2016), table 1"),),
    ),
)

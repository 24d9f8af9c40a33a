"""Does training find the best linear model there is? Probabilistic PCA has a closed form.

A linear VAE with a diagonal posterior and one learned noise scale is trained by `lowerbound.fit` on
all rows of a data set, and is compared on the same rows with the maximum of the likelihood: in the
log evidence, in the ELBO and in the subspace that the decoder spans. Everything is float64.

    python benchmarks/ppca.py [--seed S] [--only NAME]
"""

import argparse
import math
import time

import torch
from results import write
from sklearn import datasets
from sklearn.decomposition import PCA
from torch import Tensor

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema
from lowerbound.networks import MLP
from lowerbound.testing import LinearGaussian, cubature, given_noise

#: By data set: what is done to it, sizes of the latent space, draws of an update, and training.
CASES = {
    "iris": ("each column centred and divided by its standard deviation", (1, 2, 3), 4,
             lb.Training(epochs=1000, batch_size=150, learning_rate=0.03, final_rate=0.0,
                         average=0.99)),
    "breast_cancer": ("each column centred and divided by its standard deviation", (2, 5), 4,
                      lb.Training(epochs=3000, batch_size=569, learning_rate=0.03, final_rate=0.0,
                                  average=0.99)),
    "digits": ("each pixel centred, all divided by one standard deviation", (2, 8), 2,
               lb.Training(epochs=600, batch_size=128, learning_rate=0.03, final_rate=0.0,
                           average=0.99)),
}  # fmt: skip


def load(name: str) -> Tensor:
    """A data set of scikit-learn, centred and scaled, `(N, X)`."""
    x = torch.tensor(getattr(datasets, f"load_{name}")().data, dtype=torch.float64)
    # some pixels of the digits are always 0: they have no standard deviation of their own
    return (x - x.mean(dim=0)) / (x.std() if name == "digits" else x.std(dim=0))


def linear_vae(dimensions: int, latents: int, seed: int) -> lb.VAE:
    """The model of probabilistic PCA, from the library's own parts and initial weights."""
    torch.manual_seed(seed)
    return lb.VAE(
        lb.priors.StandardNormal(latents),
        lb.posteriors.DiagonalGaussian(MLP((dimensions,), (2, latents), hidden=())),
        lb.likelihoods.Fields(
            MLP((latents,), (1, dimensions), hidden=()),
            lb.likelihoods.Gaussian(lb.likelihoods.SharedScale()),
        ),
    ).double()


def decoder_of(model: lb.VAE) -> LinearGaussian:
    """The linear Gaussian model that a trained decoder is."""
    layer = model.likelihood.network.layers[0]
    scale = model.likelihood.parts[0].scale()
    return LinearGaussian(layer.weight.detach(), layer.bias.detach(), scale.detach())


def expected_elbo(model: lb.VAE, x: Tensor, latents: int) -> float:
    """The ELBO without error from draws, nats per example."""
    with torch.no_grad(), given_noise(cubature(latents)):
        return float(lb.ELBO(2 * latents)(model, lb.Batch(x)).value.mean())


def angle(one: Tensor, other: Tensor) -> float:
    """The largest principal angle between two column spaces, degrees."""
    one, other = torch.linalg.qr(one).Q, torch.linalg.qr(other).Q
    outside = other - one @ (one.T @ other)  # its sine: a cosine near 1 would be rounded
    return math.degrees(math.asin(min(1.0, float(torch.linalg.matrix_norm(outside, 2)))))


def sklearn_score(x: Tensor, latents: int) -> tuple[float, float]:
    """Its log-likelihood of x: as it is, and with the covariance divided by N instead of N - 1."""
    best = PCA(latents, svd_solver="full").fit(x.numpy())
    own = float(best.score(x.numpy()))
    shrink = (len(x) - 1) / len(x)
    best.explained_variance_ = best.explained_variance_ * shrink
    best.noise_variance_ = best.noise_variance_ * shrink
    return own, float(best.score(x.numpy()))


def run(name: str, latents: int, seed: int) -> dict[str, object]:
    """Train one model, and compare it with the maximum."""
    _, _, samples, training = CASES[name]
    x = load(name)
    best = LinearGaussian.maximum_likelihood(x, latents)
    exact = float(best.log_evidence(x).mean())
    rows = Examples(x)
    field = Field("x", "real", (x.shape[1],), None)
    everything = Data(Schema((field,), (x.shape[1],)), rows, rows, rows, source=name)
    model = linear_vae(x.shape[1], latents, seed)
    began = time.perf_counter()
    fit = lb.fit(model, lb.ELBO(samples), everything, training, seed=seed)
    seconds = time.perf_counter() - began
    evidence = float(decoder_of(model).log_evidence(x).mean())
    elbo = expected_elbo(model, x, latents)
    by_sklearn, by_sklearn_ml = sklearn_score(x, latents)
    at_optimum = best.vae(lb.posteriors.DiagonalGaussian)
    return {
        "data": name,
        "examples": len(x),
        "dimensions": x.shape[1],
        "latents": latents,
        "seed": seed,
        "evidence_at_maximum": exact,
        "elbo_at_maximum": expected_elbo(at_optimum, x, latents),
        "evidence_by_sklearn": by_sklearn,
        "evidence_by_sklearn_covariance_over_n": by_sklearn_ml,
        "evidence_trained": evidence,
        "elbo_trained": elbo,
        "evidence_gap": exact - evidence,
        "elbo_gap": exact - elbo,
        "largest_principal_angle_degrees": angle(best.weight, decoder_of(model).weight),
        "updates": fit.history[-1].updates,
        "seconds": seconds,
    }


def main() -> None:
    """Train on every data set and write benchmarks/results/ppca.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(CASES), help="one data set; nothing is written")
    options = parser.parse_args()
    settings = {
        name: {
            "data": f"scikit-learn's {name}: {words}",
            "objective": str(lb.ELBO(samples)),
            "training": str(training),
        }
        for name, (words, _, samples, training) in CASES.items()
    }
    unit = "nats per example, on the rows trained on"
    rows = []
    for name, (_, sizes, _, _) in CASES.items():
        for latents in sizes if options.only in (None, name) else ():
            rows.append(run(name, latents, options.seed))
            print(rows[-1], flush=True)
            if options.only is None:
                record = {"seed": options.seed, "unit": unit, "settings": settings, "rows": rows}
                write("ppca", record)


if __name__ == "__main__":
    main()

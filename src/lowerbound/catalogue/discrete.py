"""The VAE whose latents are codes."""

from collections.abc import Callable
from typing import Any, Literal

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import Posterior, Prior
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import ELBO, RLOO, DisARM, Enumerated, Gumbel, Objective


@recipe(
    "discrete",
    title="VAE with discrete latents",
    year=2016,
    source="Mnih & Rezende, arXiv 1602.06725; Jang, Gu & Poole, arXiv 1611.01144",
    formula=ELBO.formula,
    use="Latents that are classes or bits: clusters, codes to search or count.",
    avoid="For the highest bound: Gaussian latents of the same number carry more.",
    differs="The prior is learned; each draw's baseline is the mean of the others.",
)
def discrete(
    schema: Schema,
    *,
    latents: int = 64,
    prior: Prior = "categorical",
    posterior: Posterior = "categorical",
    estimator: Literal["rloo", "disarm", "enumerate", "gumbel"] = "rloo",
    samples: int = 4,
    temperature: float = 0.5,
    beta_warm_up: float = 0.0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE of codes.

    Args:
        schema: That of the data.
        latents: Numbers that z is written in: one for each class of each variable, or each bit.
        prior: p(z), "categorical" or "bernoulli" as the posterior.
        posterior: q(z|x), "categorical" or "bernoulli".
        estimator: Of the encoder's gradient. "enumerate": exact, for up to 4,096 values of z;
            "rloo": unbiased, by scores; "disarm": likewise, by pairs of draws, of bits; "gumbel":
            by draws between the codes, biased.
        samples: Draws of z for each example.
        temperature: Of "gumbel".
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    make: dict[str, Callable[[], Objective]] = {
        "rloo": lambda: RLOO(samples),
        "disarm": lambda: DisARM(samples),
        "enumerate": Enumerated,
        "gumbel": lambda: Gumbel(samples, temperature),
    }
    objective = make[estimator]()
    model = flat(schema, latents=latents, prior=prior, posterior=posterior, **parts)
    return model, guided(objective, beta_warm_up)

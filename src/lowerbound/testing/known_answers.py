"""The reference models, each with its known answer."""

from collections.abc import Callable, Mapping
from typing import Any

from lowerbound.objectives import ELBO, IWAE, Annealed, DReG, FreeBits, StickingTheLanding
from lowerbound.posteriors import DiagonalGaussian, FullGaussian
from lowerbound.testing.calibration import (
    check_calibration,
    check_known_answer,
    check_known_gradient,
)
from lowerbound.testing.objectives import check_importance_weighted
from lowerbound.testing.paths import check_path_gradient
from lowerbound.testing.references.belief_net import SigmoidBeliefNet
from lowerbound.testing.references.beta_bernoulli import BetaBernoulli
from lowerbound.testing.references.chain import LinearGaussianChain
from lowerbound.testing.references.linear_gaussian import LinearGaussian
from lowerbound.testing.references.mixtures import BernoulliMixture, CategoricalMixture
from lowerbound.testing.reparameterised import check_reparameterised
from lowerbound.testing.wrappers import check_annealed, check_free_bits


def _linear(posterior: Any, orthogonal: bool) -> Callable[[], None]:
    def check() -> None:
        reference = LinearGaussian.random(2, 4, orthogonal=orthogonal)
        model = reference.vae(posterior)
        check_known_answer(reference, model)
        check_known_gradient(reference, model)
        check_path_gradient(reference, model)
        check_calibration(reference, model.posterior)

    return check


def _known(build: Callable[[], Any]) -> Callable[[], None]:
    def check() -> None:
        model = build()
        check_known_answer(model, model)

    return check


def _wrapped() -> None:
    check_free_bits(lambda nats: FreeBits(ELBO(2), nats))
    check_annealed(lambda schedule: Annealed(ELBO(2), schedule))


def _without_score() -> None:
    check_reparameterised(StickingTheLanding, lambda samples: ELBO(samples, analytic=False))
    check_reparameterised(DReG, IWAE)


#: By name: a check of the library on a model that knows its answer.
REFERENCES: Mapping[str, Callable[[], None]] = {
    "LinearGaussian, diagonal": _linear(DiagonalGaussian, True),
    "LinearGaussian, full": _linear(FullGaussian, False),
    "LinearGaussianChain": _known(LinearGaussianChain),
    "BetaBernoulli": _known(BetaBernoulli),
    "BernoulliMixture": _known(lambda: BernoulliMixture(exact=True)),
    "CategoricalMixture": _known(lambda: CategoricalMixture(exact=True)),
    "SigmoidBeliefNet": _known(lambda: SigmoidBeliefNet((2,), 3, exact=True)),
    "importance weights": lambda: check_importance_weighted(IWAE),
    "gradients without the score": _without_score,
    "free bits, annealing": _wrapped,
}

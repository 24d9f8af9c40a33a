"""Checks that know how often they err, models with known answers, and a ladder for every part.

    >>> import lowerbound as lb
    >>> lb.testing.check_prior(lb.priors.StandardNormal(3))

Run `check_prior`, `check_posterior`, `check_likelihood`, `check_pair`, `check_objective` and
`check_model` on parts of your own; each raises AssertionError with a sentence that says what is
wrong.
"""

from lowerbound.testing.assertions import (
    assert_close_gradient,
    assert_frequencies,
    assert_mean,
    assert_mean_at_most,
    assert_uniform_ranks,
    check_close,
)
from lowerbound.testing.calibration import (
    check_calibration,
    check_known_answer,
    check_known_gradient,
    check_path_gradient,
    check_reparameterised,
)
from lowerbound.testing.cells import check_likelihood
from lowerbound.testing.certify import Certificate, certify
from lowerbound.testing.conformance import check_posterior, check_prior
from lowerbound.testing.evidence import check_evidence
from lowerbound.testing.ledger import Entry, Ledger
from lowerbound.testing.models import check_model
from lowerbound.testing.noise import cubature, given_noise
from lowerbound.testing.objectives import (
    check_annealed,
    check_free_bits,
    check_importance_weighted,
    check_objective,
)
from lowerbound.testing.pairs import check_pair
from lowerbound.testing.references import (
    BernoulliMixture,
    BetaBernoulli,
    CategoricalMixture,
    Enumerable,
    Joint,
    LinearGaussian,
    LinearGaussianChain,
    Reference,
    SigmoidBeliefNet,
)
from lowerbound.testing.table import (
    LIKELIHOODS,
    NETWORKS,
    OBJECTIVES,
    POSTERIORS,
    PRIORS,
    RECIPES,
    SCHEMAS,
    example_batch,
    latent_batch,
    likelihood_of,
    posterior_of,
    prior_of,
)

__all__ = [
    "LIKELIHOODS", "NETWORKS", "OBJECTIVES", "POSTERIORS", "PRIORS", "RECIPES", "SCHEMAS",
    "BernoulliMixture", "BetaBernoulli", "CategoricalMixture", "Certificate", "Entry",
    "Enumerable", "Joint", "Ledger", "LinearGaussian", "LinearGaussianChain", "Reference",
    "SigmoidBeliefNet", "assert_close_gradient", "assert_frequencies", "assert_mean",
    "assert_mean_at_most", "assert_uniform_ranks", "certify", "check_annealed",
    "check_calibration", "check_close", "check_evidence", "check_free_bits",
    "check_importance_weighted", "check_known_answer", "check_known_gradient", "check_likelihood",
    "check_model", "check_objective", "check_pair", "check_path_gradient", "check_posterior",
    "check_prior", "check_reparameterised", "cubature", "example_batch", "given_noise",
    "latent_batch", "likelihood_of", "posterior_of", "prior_of",
]  # fmt: skip

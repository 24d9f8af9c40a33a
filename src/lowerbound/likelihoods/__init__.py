"""Likelihoods p(x|z): `Fields`, one network and the cells of each kind."""

from lowerbound.likelihoods.autocorrelated import AutocorrelatedGaussian
from lowerbound.likelihoods.bernoulli import Bernoulli, bernoulli
from lowerbound.likelihoods.beta import Beta, beta
from lowerbound.likelihoods.binned import Binned, binned
from lowerbound.likelihoods.categorical import Categorical, categorical
from lowerbound.likelihoods.cells import Cells, Site
from lowerbound.likelihoods.censored_gaussian import CensoredGaussian, censored_gaussian
from lowerbound.likelihoods.continuous_bernoulli import ContinuousBernoulli, continuous_bernoulli
from lowerbound.likelihoods.cumulative_logit import CumulativeLogit, cumulative_logit
from lowerbound.likelihoods.discretized_logistic import DiscretizedLogistic, discretized_logistic
from lowerbound.likelihoods.fields import Fields, outputs_of
from lowerbound.likelihoods.gaussian import (
    FixedScale,
    Gaussian,
    PerDimensionScale,
    SharedScale,
    gaussian,
)
from lowerbound.likelihoods.hurdle_log_normal import HurdleLogNormal, hurdle_log_normal
from lowerbound.likelihoods.log_normal import LogNormal, log_normal
from lowerbound.likelihoods.logistic_mixture import LogisticMixture, logistic_mixture
from lowerbound.likelihoods.multinomial import Multinomial, multinomial
from lowerbound.likelihoods.negative_binomial import NegativeBinomial, negative_binomial
from lowerbound.likelihoods.poisson import Poisson, poisson
from lowerbound.likelihoods.rounded_logistic import RoundedLogistic, rounded_logistic
from lowerbound.likelihoods.sequence import Autoregressive, RollLikelihood
from lowerbound.likelihoods.student_t import StudentT, student_t
from lowerbound.likelihoods.truncated_gaussian import TruncatedGaussian, truncated_gaussian
from lowerbound.likelihoods.zero_inflated import (
    ZeroInflatedNegativeBinomial,
    zero_inflated_negative_binomial,
)

#: By name: from the cells that a law is for, and its settings, to the law.
BUILDERS = {
    "bernoulli": bernoulli,
    "beta": beta,
    "binned": binned,
    "categorical": categorical,
    "censored-gaussian": censored_gaussian,
    "continuous-bernoulli": continuous_bernoulli,
    "cumulative-logit": cumulative_logit,
    "discretized-logistic": discretized_logistic,
    "gaussian": gaussian,
    "hurdle-log-normal": hurdle_log_normal,
    "log-normal": log_normal,
    "logistic-mixture": logistic_mixture,
    "multinomial": multinomial,
    "negative-binomial": negative_binomial,
    "poisson": poisson,
    "rounded-logistic": rounded_logistic,
    "student-t": student_t,
    "truncated-gaussian": truncated_gaussian,
    "zero-inflated-negative-binomial": zero_inflated_negative_binomial,
}

__all__ = [
    "AutocorrelatedGaussian",
    "Autoregressive",
    "Bernoulli",
    "Beta",
    "Binned",
    "Categorical",
    "Cells",
    "CensoredGaussian",
    "ContinuousBernoulli",
    "CumulativeLogit",
    "DiscretizedLogistic",
    "Fields",
    "FixedScale",
    "Gaussian",
    "HurdleLogNormal",
    "LogNormal",
    "LogisticMixture",
    "Multinomial",
    "NegativeBinomial",
    "PerDimensionScale",
    "SharedScale",
    "Poisson",
    "RollLikelihood",
    "RoundedLogistic",
    "Site",
    "StudentT",
    "TruncatedGaussian",
    "ZeroInflatedNegativeBinomial",
    "outputs_of",
]

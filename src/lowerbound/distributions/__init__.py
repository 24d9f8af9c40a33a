"""Laws that torch.distributions lacks: sums in float64, discretised densities, divergences."""

from lowerbound.distributions.autocorrelated import Autocorrelated, fill
from lowerbound.distributions.binned import Binned, Layout
from lowerbound.distributions.bins import Bins
from lowerbound.distributions.centre import centre, endless, expected, spread, tempered
from lowerbound.distributions.codes import Codes, OneHot, Settled, is_discrete
from lowerbound.distributions.continuous_bernoulli import ContinuousBernoulli
from lowerbound.distributions.detach import detached
from lowerbound.distributions.discretized_logistic import DiscretizedLogistic
from lowerbound.distributions.flow import Flow
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.distributions.kl import analytic_kl
from lowerbound.distributions.levels import Levels
from lowerbound.distributions.limited_normal import CensoredNormal, TruncatedNormal
from lowerbound.distributions.log_prob import log_prob
from lowerbound.distributions.logistic_mixture import LogisticMixture, Pixels
from lowerbound.distributions.markov import Markov
from lowerbound.distributions.mixture import Mixture
from lowerbound.distributions.multinomial import Multinomial, Parted
from lowerbound.distributions.negative_binomial import NegativeBinomial
from lowerbound.distributions.normal import CellNormal, SharedScaleNormal, UnitNormal
from lowerbound.distributions.placed import OwnNoiseError, placed
from lowerbound.distributions.product import Columns, Product
from lowerbound.distributions.roll import Roll
from lowerbound.distributions.rounded_logistic import RoundedLogistic, Whole
from lowerbound.distributions.sequence import Sequence
from lowerbound.distributions.sphere import PowerSpherical, UniformSphere
from lowerbound.distributions.surface import surface
from lowerbound.distributions.zero_inflated import Hurdle, ZeroInflated

__all__ = [
    "Autocorrelated",
    "Binned",
    "Bins",
    "Codes",
    "CensoredNormal",
    "Columns",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Flow",
    "Hurdle",
    "Markov",
    "Mixture",
    "Multinomial",
    "NegativeBinomial",
    "Parted",
    "PowerSpherical",
    "Product",
    "Independent",
    "Layout",
    "Levels",
    "LogisticMixture",
    "OneHot",
    "Roll",
    "OwnNoiseError",
    "Pixels",
    "RoundedLogistic",
    "CellNormal",
    "Sequence",
    "Settled",
    "SharedScaleNormal",
    "TruncatedNormal",
    "UniformSphere",
    "UnitNormal",
    "Whole",
    "ZeroInflated",
    "accumulate",
    "analytic_kl",
    "centre",
    "detached",
    "endless",
    "expected",
    "fill",
    "is_discrete",
    "log_prob",
    "placed",
    "spread",
    "surface",
    "tempered",
]

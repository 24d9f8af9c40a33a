"""What torch.distributions lacks: sums in float64, discretised densities, divergences."""

from lowerbound.distributions.binned import Binned, Layout
from lowerbound.distributions.bins import Bins
from lowerbound.distributions.centre import centre, expected, spread, tempered
from lowerbound.distributions.codes import OneHot, is_discrete
from lowerbound.distributions.detach import detached
from lowerbound.distributions.discretized_logistic import DiscretizedLogistic
from lowerbound.distributions.flow import Flow
from lowerbound.distributions.hurdle import Hurdle
from lowerbound.distributions.independent import Independent, accumulate
from lowerbound.distributions.kl import analytic_kl
from lowerbound.distributions.levels import Levels
from lowerbound.distributions.log_prob import log_prob
from lowerbound.distributions.logistic_mixture import LogisticMixture, Pixels
from lowerbound.distributions.mixture import Mixture
from lowerbound.distributions.negative_binomial import NegativeBinomial
from lowerbound.distributions.normal import CellNormal, SharedScaleNormal, UnitNormal
from lowerbound.distributions.product import Columns, Product
from lowerbound.distributions.rounded_logistic import RoundedLogistic, Whole
from lowerbound.distributions.sequence import Sequence
from lowerbound.distributions.zero_inflated import ZeroInflated

__all__ = [
    "Binned",
    "Bins",
    "Columns",
    "DiscretizedLogistic",
    "Flow",
    "Hurdle",
    "Mixture",
    "NegativeBinomial",
    "Product",
    "Independent",
    "Layout",
    "Levels",
    "LogisticMixture",
    "OneHot",
    "Pixels",
    "RoundedLogistic",
    "CellNormal",
    "Sequence",
    "SharedScaleNormal",
    "UnitNormal",
    "Whole",
    "ZeroInflated",
    "accumulate",
    "analytic_kl",
    "centre",
    "detached",
    "expected",
    "is_discrete",
    "log_prob",
    "spread",
    "tempered",
]

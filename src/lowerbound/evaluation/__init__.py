"""How good a model is, how sure we are, and what is wrong with it."""

from lowerbound.evaluation.amortisation import Gaps, gaps
from lowerbound.evaluation.annealed import Annealed, Annealing, annealed
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evaluate import evaluate
from lowerbound.evaluation.evidence import Evidence, evidence
from lowerbound.evaluation.information import Between, Information, information
from lowerbound.evaluation.ladder import Convergence, Rung, convergence
from lowerbound.evaluation.pool import Pooled, pool
from lowerbound.evaluation.quality import SampleQuality, sample_quality
from lowerbound.evaluation.sandwich import Sandwich, sandwich
from lowerbound.evaluation.scores import Scores, score
from lowerbound.evaluation.statement import ACTIVE_THRESHOLD, Evaluation, Generalisation, Tightened
from lowerbound.evaluation.swap import saved, swap
from lowerbound.evaluation.tails import pareto_shape

__all__ = [
    # the whole statement
    "evaluate", "Evaluation", "Estimate", "ACTIVE_THRESHOLD",
    # log p(x)
    "evidence", "Evidence", "score", "Scores", "Rung", "Convergence", "convergence",
    "pareto_shape", "annealed", "Annealed", "Annealing", "Tightened", "sandwich", "Sandwich",
    # where it falls short
    "gaps", "Gaps", "information", "Information", "Between", "Generalisation",
    "saved",
    "swap",
    # several imputations
    "pool", "Pooled",
    # samples
    "sample_quality", "SampleQuality",
]  # fmt: skip

"""How good a model is, and how sure we are."""

from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evaluate import ACTIVE_THRESHOLD, Evaluation, evaluate
from lowerbound.evaluation.evidence import Evidence, evidence

__all__ = ["ACTIVE_THRESHOLD", "Estimate", "Evaluation", "Evidence", "evaluate", "evidence"]

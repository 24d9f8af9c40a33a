"""How good a model is, and how sure we are."""

from lowerbound.evaluation.evaluate import ACTIVE_THRESHOLD, Estimate, Evaluation, evaluate
from lowerbound.evaluation.evidence import Evidence, evidence

__all__ = ["ACTIVE_THRESHOLD", "Estimate", "Evaluation", "Evidence", "evaluate", "evidence"]

"""The faults of a run, in plain words, with their remedies."""

from lowerbound.doctor.examine import Examination, examine
from lowerbound.doctor.finding import Finding
from lowerbound.doctor.rules import RULES
from lowerbound.doctor.symptoms import Symptoms

__all__ = ["RULES", "Examination", "Finding", "Symptoms", "examine"]

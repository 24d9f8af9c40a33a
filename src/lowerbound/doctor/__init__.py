"""What is wrong with a run, in plain words, and what to try."""

from lowerbound.doctor.examine import Examination, examine
from lowerbound.doctor.finding import Finding
from lowerbound.doctor.rules import RULES
from lowerbound.doctor.symptoms import Symptoms

__all__ = ["RULES", "Examination", "Finding", "Symptoms", "examine"]

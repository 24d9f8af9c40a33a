"""Errors planted in parts of every kind, as they occur in real code, and the checks that see them.

    >>> from lowerbound.testing.planted import subjects
    >>> sum(len(subject.errors) for subject in subjects()) >= 120
    True

A check is trusted after it has failed: `lowerbound certify --planted` tries them all.
"""

from lowerbound.testing.planted.error import Planted
from lowerbound.testing.planted.run import Outcome, subjects, try_corpus
from lowerbound.testing.planted.subject import Subject

__all__ = ["Outcome", "Planted", "Subject", "subjects", "try_corpus"]

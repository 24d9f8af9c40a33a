"""Errors planted in parts of every kind, as they occur in real code, and the checks that see them.

    >>> from planted import subjects
    >>> sum(len(subject.errors) for subject in subjects()) >= 120
    True

A check is trusted after it has failed: `lowerbound certify --planted` tries them all, in a
checkout of the repository. Errors are no product: this package is not installed.
"""

from planted.error import Planted
from planted.run import Outcome, subjects, try_corpus
from planted.subject import Subject

__all__ = ["Outcome", "Planted", "Subject", "subjects", "try_corpus"]

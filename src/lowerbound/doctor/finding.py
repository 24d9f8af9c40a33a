"""A finding of the doctor, and its remedy."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ill", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run, or may be.

    Attributes:
        name: Of the diagnosis, a noun.
        severity: "ill": figures or uses of this run are not what they seem; "warning": it works,
            and could work better, or be misread.
        words: The symptoms, with their numbers, in whole sentences.
        remedy: Steps to try, with options of the command line.
    """

    name: str
    severity: Severity
    words: str
    remedy: str

"""Do the checks see the errors that are made in real code, and does the library pass them?

Every error of tests/planted is planted in a part that passes without it, and the check named beside
it must say so, for that reason. Then every part of the library climbs the same ladder.

    python benchmarks/certify.py
"""

import sys
import time
from pathlib import Path

import torch
from results import write

from lowerbound.testing import certify

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from planted import Outcome, try_corpus


def count(outcomes: list[Outcome]) -> dict[str, float]:
    """How many were planted, caught and missed, and the seconds that took."""
    caught = sum(outcome.caught for outcome in outcomes)
    return {
        "planted": len(outcomes),
        "caught": caught,
        "missed": len(outcomes) - caught,
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
    }


def main() -> None:
    """Write benchmarks/results/planted.json and benchmarks/results/certify.json."""
    torch.set_num_threads(1)
    outcomes = list(try_corpus())
    by_subject = {
        subject: count([outcome for outcome in outcomes if outcome.subject == subject])
        for subject in dict.fromkeys(outcome.subject for outcome in outcomes)
    }
    errors = [
        {"subject": o.subject, "check": o.check, "error": o.words, "caught": o.caught}
        for o in outcomes
    ]
    write("planted", {**count(outcomes), "by_subject": by_subject, "errors": errors})
    print(count(outcomes), flush=True)

    began = time.perf_counter()
    found = certify()
    summary = {
        "parts": len(found),
        "failed": sum(certificate.failure is not None for certificate in found),
        "identities": sum(certificate.identities for certificate in found),
        "largest_nats": max(certificate.nats or 0.0 for certificate in found),
        "largest_standard_errors": max(c.standard_errors or 0.0 for c in found),
        "seconds": round(time.perf_counter() - began, 1),
    }
    write("certify", {**summary, "table": [certificate.to_json() for certificate in found]})
    print(summary)


if __name__ == "__main__":
    main()

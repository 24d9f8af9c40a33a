"""Seeds from what scikit-learn allows as a random state."""

from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

from lowerbound.seeding import fresh_seed


def seed_of(random_state: Any) -> int:
    """Make a seed of what scikit-learn allows; None leaves numpy's global state alone."""
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))

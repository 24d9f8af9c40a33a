"""Seeds as scikit-learn gives them."""

from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

from lowerbound.seeding import fresh_seed


def seed_of(random_state: Any) -> int:
    """A seed out of what scikit-learn allows; None leaves numpy's global state alone.

    Raises:
        ValueError: It is nothing that scikit-learn takes for one.
    """
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))

"""How work is shared out, and which group is meant."""

import pytest

from lowerbound.processes import ALONE, Group, current, default, together


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 12])
def test_shares_are_runs_that_cover_everything_once(size: int, count: int) -> None:
    groups = [Group() for _ in range(size)]
    for rank, group in enumerate(groups):
        group.rank, group.size = rank, size
    shares = [list(range(count))[group.mine(count)] for group in groups]
    assert [row for share in shares for row in share] == list(range(count))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_one_process_shares_nothing_unless_told_to() -> None:
    other = Group()
    assert current() is default() is ALONE
    with together(other):
        assert current() is default() is other
        with together(ALONE):
            assert current() is ALONE
    assert current() is ALONE

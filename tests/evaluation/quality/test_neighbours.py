"""Nearest neighbours, and the four measures made of them, by hand and in expectation."""

import pytest
import torch

from lowerbound.errors import SettingError, ShapeError
from lowerbound.evaluation.quality import (
    coverage,
    density,
    expected_coverage,
    nearest,
    neighbours,
    precision,
    recall,
)
from lowerbound.testing import assert_mean


def line(*points: float) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float64)[:, None]


# with k = 1: balls of radius 1 around 0, 1 around 1, 2 around 3
DATA = line(0, 1, 3)
SAMPLES = line(-1.5, 2, 10)


def test_a_case_by_hand():
    assert neighbours.radii(DATA, 1).sqrt().tolist() == pytest.approx([1, 1, 2])
    assert precision(SAMPLES, DATA, 1) == pytest.approx(1 / 3)  # 2, on the edge of one ball
    assert recall(SAMPLES, DATA, 1) == 1  # balls of radius 3.5, 3.5 and 8
    assert density(SAMPLES, DATA, 1) == pytest.approx(2 / 3)  # 2 lies in two balls
    assert coverage(SAMPLES, DATA, 1) == pytest.approx(2 / 3)
    assert nearest(SAMPLES, DATA).tolist() == [1.5, 1, 7]


def test_blocks_change_nothing(monkeypatch):
    a, b = torch.randn(53, 4).double() + 5, torch.randn(47, 4).double() + 5
    measures = (precision, recall, density, coverage)
    whole = [measure(a, b, 3) for measure in measures]
    monkeypatch.setattr(neighbours, "DISTANCES_AT_ONCE", 100)
    assert [measure(a, b, 3) for measure in measures] == whole
    distances = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    assert torch.equal(nearest(a, b), distances.min(dim=1).values)
    own = torch.cdist(b, b).sort(dim=1).values[:, 3]
    assert torch.allclose(neighbours.radii(b, 3).sqrt(), own)
    assert whole[0] == (distances <= own).any(dim=1).double().mean()
    assert whole[2] == (distances <= own).sum() / (3 * 53)
    assert whole[3] == (distances <= own).any(dim=0).double().mean()


def test_a_copy_is_at_distance_nought_however_far_from_the_origin():
    x = torch.randn(20, 5, dtype=torch.float64) + 1e6
    assert nearest(x, x.flip(0)).tolist() == [0.0] * 20


def test_ties_count_as_near():
    # binary data: every distance is one of few, and rounding must not decide
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).double() / 3
    assert precision(corners, corners, 1) == 1
    assert coverage(1 / 3 - corners, corners, 4) == 1
    assert density(corners, corners, 4) == pytest.approx(5 / 4)  # itself and four neighbours


@pytest.mark.parametrize("law", ["normal", "cauchy"])
def test_density_and_coverage_of_the_datas_own_law_are_known_whatever_it_is(law):
    # the assertion resolves 0.04: it would see k taken wrong by one (0.87 or 0.95 for 0.92)
    expected = expected_coverage(20, 30, 5)
    densities, coverages = [], []
    for _ in range(1500):
        both = torch.randn(50, 2).double()
        if law == "cauchy":
            both = both / torch.randn(50, 2).double()
        densities.append(density(both[:20], both[20:]))
        coverages.append(coverage(both[:20], both[20:]))
    assert_mean(torch.tensor(densities), 1.0, resolves=0.1, name="the density")
    assert_mean(torch.tensor(coverages), expected, resolves=0.03, name="the coverage")


def test_of_two_examples_and_a_sample_each_covers_the_other_half_of_the_time():
    # k = 1: an example is covered if the sample is nearer than the other example, 1 in 2;
    # k = 2 of 3: missed if both others are nearer than both samples, 2/4 * 1/3
    assert expected_coverage(1, 2, 1) == pytest.approx(1 / 2)
    assert expected_coverage(2, 3, 2) == pytest.approx(5 / 6)


def test_a_neighbour_that_is_not_there_is_refused():
    for k in (0, 3, True, 1.5):
        with pytest.raises(SettingError, match="from 1 to 2"):
            precision(SAMPLES, DATA, k)
    with pytest.raises(ShapeError, match="one space"):
        density(torch.zeros(3, 2), DATA, 1)

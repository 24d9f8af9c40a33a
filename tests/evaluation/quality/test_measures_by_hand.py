"""Every measure on a handful of numbers, worked out beside it."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from lowerbound.errors import DataError, SettingError, ShapeError
from lowerbound.evaluation.quality import (
    Against,
    copies,
    coverage,
    density,
    expected_coverage,
    frechet_distance,
    frechet_error,
    mann_whitney,
    memorisation,
    nearest,
    neighbours,
    precision,
    recall,
)
from lowerbound.evaluation.quality.space import CELLS_AT_ONCE, FeatureSpace, some

F64 = torch.float64


def numbers(*rows: float | list[float]) -> Tensor:
    return torch.tensor(rows, dtype=F64)


# Fréchet distance


@pytest.mark.parametrize(("n", "m"), [(20, 20), (23, 31)])
def test_the_error_of_a_distance_leaves_out_every_tenth_example_in_turn(n, m):
    a, b = torch.randn(n, 2).double(), 2 * torch.randn(m, 2).double() + 1
    values = []
    for group in range(10):
        kept = [[i for i in range(len(x)) if i % 10 != group] for x in (a, b)]
        values.append(frechet_distance(a[kept[0]], b[kept[1]]))
    mean = sum(values) / 10
    expected = math.sqrt(9 / 10 * sum((value - mean) ** 2 for value in values))
    assert frechet_error(a, b) == pytest.approx(expected, rel=1e-9)


def test_two_examples_of_each_have_a_distance():
    # means 1 and 4; deviations sqrt 2 and 2 sqrt 2
    found = frechet_distance(numbers([0.0], [2.0]), numbers([2.0], [6.0]))
    assert found == pytest.approx(9 + 2)
    for few in (0, 1):
        with pytest.raises(DataError, match=f"at least 2 examples of each kind, got 2 and {few}"):
            frechet_distance(torch.zeros(2, 3), torch.zeros(few, 3))
    for wrong in (torch.zeros(2, 4), torch.zeros(2), torch.zeros(2, 3, 1)):
        for pair in ((wrong, torch.zeros(2, 3)), (torch.zeros(2, 3), wrong)):
            with pytest.raises(ShapeError, match="one space"):
                frechet_distance(*pair)


def test_of_independent_features_it_is_the_sum_over_features():
    # means (1, 12) and (3, 1); deviations of four examples sqrt(4/3) (1, 2) and sqrt(4/3) (3, 1)
    a = numbers([0, 10], [2, 10], [0, 14], [2, 14])
    b = numbers([0, 0], [6, 0], [0, 2], [6, 2])
    assert frechet_distance(a, b) == pytest.approx(4 + 121 + 4 / 3 * (4 + 1))


def test_twenty_examples_of_each_are_enough_for_an_error():
    x = torch.randn(20, 2)
    assert frechet_error(x, x + 1) > 0
    for pair in ((x, x[:19]), (x[:19], x)):
        with pytest.raises(DataError, match="at least 20 examples of each kind"):
            frechet_error(*pair)


def test_a_distance_is_never_below_nought():
    for seed in range(20):
        x = torch.randn(30, 4, generator=torch.Generator().manual_seed(seed))
        assert 0 <= frechet_distance(x, x.flip(0)) < 1e-10


# neighbours


def test_distances_come_a_block_of_rows_at_a_time(monkeypatch):
    a, b = torch.randn(7, 3) + 9, torch.randn(5, 3) - 4
    exact = (a[:, None].double() - b.double()).square().sum(dim=-1)
    for room, rows in ((1, 1), (10, 2), (14, 2), (15, 3), (8_000_000, 7)):
        monkeypatch.setattr(neighbours, "DISTANCES_AT_ONCE", room)
        found = list(neighbours.blocks(a, b))
        assert [part for part, _ in found] == [
            slice(start, min(start + rows, 7)) for start in range(0, 7, rows)
        ]
        assert torch.allclose(torch.cat([squared for _, squared in found]), exact)
        assert found[0][1].dtype == F64


def test_distances_are_exact_far_from_the_origin():
    x = torch.randn(30, 2, dtype=F64) + numbers(1e8, -1e8)
    ((_, squared),) = neighbours.blocks(x, x)
    assert torch.allclose(squared, (x[:, None] - x).square().sum(dim=-1), rtol=1e-9, atol=1e-9)


def test_no_squared_distance_is_below_nought():
    x = 1e8 + torch.randn(40, 3, dtype=F64)
    assert min(float(squared.min()) for _, squared in neighbours.blocks(x, x)) == 0


def test_a_ball_reaches_its_neighbour_and_what_rounding_may_add(monkeypatch):
    x = 1e6 * numbers([0.0, 1.0], [3.0, 5.0], [9.0, 3.0], [1.0, 2.0])
    apart = (x[:, None] - x).square().sum(dim=-1).sort(dim=1).values
    slack = 1e-12 * float((x - x.mean(dim=0)).square().sum(dim=1).max())
    assert slack > 30
    for room in (8_000_000, 8, 4):  # in blocks of four rows, of two and of one
        monkeypatch.setattr(neighbours, "DISTANCES_AT_ONCE", room)
        for k in (1, 2, 3):
            assert torch.allclose(neighbours.radii(x, k) - apart[:, k], numbers(slack), atol=0.5)
    for k in (0, 4, 1.0, True):
        with pytest.raises(SettingError, match=rf"k must be from 1 to 3, .* got {k!r}"):
            neighbours.radii(x, k)


def test_a_sample_on_the_edge_of_a_ball_lies_among_the_data():
    data = numbers([0.0], [2.0], [7.0])  # balls of radius 2, 2 and 5
    assert precision(numbers([-2.0], [12.0]), data, 1) == 1
    assert precision(numbers([-2.1], [12.1]), data, 1) == 0


def test_one_point_has_a_nearest_of_one():
    assert nearest(numbers([1.0, 2.0]), numbers([4.0, 6.0])).tolist() == [5]
    with pytest.raises(ShapeError, match="one space"):
        nearest(numbers([1.0, 2.0]), numbers([4.0]))
    with pytest.raises(DataError, match="at least 1 examples of each kind, got 1 and 0"):
        nearest(numbers([1.0]), torch.zeros(0, 1))


@pytest.mark.parametrize("measure", [precision, recall, density, coverage])
def test_a_measure_says_of_which_space_its_features_are_before_anything_else(measure):
    with pytest.raises(ShapeError, match="one space"):
        measure(torch.zeros(9, 2), torch.zeros(9, 3), 99)
    with pytest.raises(DataError, match="at least 1 examples"):
        measure(torch.zeros(0, 2), torch.zeros(0, 2), 99)


def test_one_sample_can_be_judged():
    data = numbers([0.0], [1.0], [3.0])
    for at, expected in ((2.0, (1, 2, 2 / 3)), (7.0, (0, 0, 0)), (0.0, (1, 2, 2 / 3))):
        sample = numbers([at])
        found = (precision(sample, data, 1), density(sample, data, 1), coverage(sample, data, 1))
        assert found == pytest.approx(expected)
    assert recall(data, numbers([2.0]), 1) == 1
    # with the second neighbour balls of radius 3, 2 and 3
    assert density(numbers([2.5]), data, 2) == pytest.approx(3 / 2)
    assert density(numbers([2.5], [2.5], [9.0]), data, 2) == pytest.approx(6 / (2 * 3))


def test_examples_that_are_all_alike_lie_among_each_other():
    same = torch.ones(4, 2)
    for measure in (precision, recall, coverage):
        assert measure(same, same, 1) == 1
    assert density(same, same, 1) == 4  # every sample is near all four


def test_what_one_block_covers_stays_covered(monkeypatch):
    monkeypatch.setattr(neighbours, "DISTANCES_AT_ONCE", 3)  # one sample at a time
    assert coverage(numbers([0.0], [9.0]), numbers([0.0], [1.0], [3.0]), 1) == pytest.approx(2 / 3)


def test_the_third_neighbour_is_precisions_and_the_fifth_is_densitys():
    a, b = torch.randn(30, 2), torch.randn(30, 2)
    for measure, k in ((precision, 3), (recall, 3), (density, 5), (coverage, 5)):
        assert measure(a, b) == measure(a, b, k)
    assert expected_coverage(20, 30) == expected_coverage(20, 30, 5)
    assert (neighbours.DISTANCES_AT_ONCE, neighbours.ROUNDING) == (8_000_000, 1e-12)


def test_the_expected_coverage_is_a_product():
    assert expected_coverage(4, 9, 3) == pytest.approx(1 - 8 / 12 * 7 / 11 * 6 / 10)
    assert expected_coverage(4, 9, 1) == pytest.approx(1 - 8 / 12)


# memorisation


def test_shares_and_their_error_are_of_what_lies_within_the_nearest_hundredth():
    held_out = torch.arange(1, 301).float()  # two of 300 are among the nearest 1 %, and the third
    samples = torch.tensor([1.0, 3.0, 3.5, 4.0, 500.0])
    found = memorisation(samples, held_out)
    assert (found.closer, found.closer_held_out) == pytest.approx((2 / 5, 3 / 300))
    variance = 0.4 * 0.6 / 5 + 0.01 * 0.99 / 300
    assert found.closer_error == pytest.approx(math.sqrt(variance))
    assert (found.samples, found.held_out, found.ratio) == (3.5, 150, 3.5 / 150)
    assert found.score == mann_whitney(samples, held_out)
    assert found.p_value == pytest.approx(stats.norm.cdf(found.score))


def test_two_distances_of_each_kind_are_enough_and_fewer_or_a_matrix_are_not():
    two, one, matrix = torch.tensor([1.0, 2.0]), torch.ones(1), torch.ones(2, 2)
    # ranks 1 and 2 of 4: 3, two below 5; the variance 4 / 12 * 5
    assert mann_whitney(two, two + 2) == pytest.approx(-2 / math.sqrt(5 / 3))
    assert memorisation(two, two + 2).score == mann_whitney(two, two + 2)
    # three of four are alike: ranks 2, 2, 2 and 4, and the variance is 4 / 12 * (5 - 24 / 12)
    assert mann_whitney(torch.ones(2), two) == pytest.approx(-1)
    for judge in (mann_whitney, memorisation):
        for wrong in ((one, two), (two, one)):
            with pytest.raises(DataError, match="at least 2 examples are needed"):
                judge(*wrong)
        for wrong in ((matrix, two), (two, matrix)):
            with pytest.raises(ShapeError, match="must be vectors"):
                judge(*wrong)


def test_a_number_next_to_nought_is_no_copy_of_it():
    train = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    assert copies(torch.tensor([[1e-30, 1.0], [2.0, -1e-30]]), train) == 0
    assert copies(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), train) == 1
    for wrong in (torch.zeros(2, 2, 1), torch.zeros(2, 2, dtype=F64)):
        with pytest.raises(ShapeError, match="of one kind"):
            copies(wrong, train)


# what they are told in


def test_a_measure_is_told_with_its_error_and_what_real_data_score():
    plain = Against(2.0, 0.125, "nats", "lower", "words")
    assert str(plain) == "2 nats, real data 0.125"
    assert (plain.standard_error, plain.p_value, plain.null_p_value) == (None, None, None)
    assert plain.to_json() == {
        "value": 2.0, "null": 0.125, "unit": "nats", "better": "lower", "words": "words",
        "standard_error": None, "p_value": None, "null_p_value": None,
    }  # fmt: skip
    odd = Against(math.nan, -math.inf, "", "null", "", 0.0371, 0.0, 1.0)
    assert str(odd) == "nan ± 0.037 , real data -inf"
    told = odd.to_json()
    assert (told["value"], told["null"], told["standard_error"]) == (None, None, 0.0371)
    assert (told["p_value"], told["null_p_value"]) == (0.0, 1.0)


class Doubled(FeatureSpace):
    """Twice the cells, and how many examples came at a time."""

    name, words, dimensions = "doubled", "twice the cells", 2

    def __init__(self, *shape: int) -> None:
        self.shape, self.came = shape, []

    def embed(self, x: Tensor) -> Tensor:
        self.came.append(len(x))
        return 2 * x.reshape(len(x), -1)


def test_a_space_maps_a_few_examples_at_a_time(monkeypatch):
    monkeypatch.setattr("lowerbound.evaluation.quality.space.CELLS_AT_ONCE", 13)
    space = Doubled(2, 2)
    x = torch.arange(28.0).reshape(7, 2, 2).requires_grad_()
    found = space(x)
    assert space.came == [3, 3, 1]
    assert torch.equal(found, 2 * x.detach().double().reshape(7, 4))
    assert not found.requires_grad
    assert Doubled(2, 7).rows_at_once() == 1
    assert CELLS_AT_ONCE == 16_000_000
    assert not space.costly
    assert space.to_json() == {"name": "doubled", "words": "twice the cells", "dimensions": 2}


def test_a_space_names_the_shape_it_wants():
    for wrong in (torch.zeros(3, 5), torch.zeros(3, 2, 5, 1), torch.zeros(())):
        with pytest.raises(ShapeError) as refused:
            Doubled(2, 5)(wrong)
        assert str(refused.value) == (
            f"these features are of (N, 2, 5) examples, got {tuple(wrong.shape)}"
        )
    with pytest.raises(DataError, match="no finite features in the space 'doubled'"):
        Doubled(2)(torch.tensor([[1.0, 2.0], [math.inf, 1.0]]))


def test_some_rows_are_chosen_by_the_seed_in_random_order():
    order = torch.randperm(9, generator=torch.Generator().manual_seed(4)).tolist()
    assert some(4, 9, 4).tolist() == order[:4]
    assert some(20, 9, 4).tolist() == order
    assert some(4, 9, 5).tolist() != order[:4]

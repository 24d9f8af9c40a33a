"""The Fréchet distance against closed forms, scipy's matrix square root, and its known bias."""

import numpy as np
import pytest
import scipy.linalg
import torch

from lowerbound.errors import DataError, ShapeError
from lowerbound.evaluation.quality import frechet_distance, frechet_error
from lowerbound.testing import assert_mean


def test_a_set_has_no_distance_from_itself():
    x = torch.randn(50, 7, dtype=torch.float64)
    assert frechet_distance(x, x[torch.randperm(50)]) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(x[:5], x[:5]) == pytest.approx(0, abs=1e-12)  # singular covariances


def test_a_shift_costs_its_squared_length():
    x = torch.randn(40, 3, dtype=torch.float64)
    shift = torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64)
    assert frechet_distance(x, x + shift) == pytest.approx(9, rel=1e-10)


def test_on_a_line_it_is_the_difference_of_means_and_of_deviations():
    a, b = torch.randn(30, 1).double(), 3 * torch.randn(20, 1).double() + 1
    expected = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(60, 90), (4, 90), (4, 3)])
def test_it_is_heusels_formula_with_scipys_square_root(n, m):
    a = torch.randn(n, 5, dtype=torch.float64) @ torch.randn(5, 5, dtype=torch.float64)
    b = torch.randn(m, 5, dtype=torch.float64) + 0.5
    first, second = np.cov(a.numpy().T), np.cov(b.numpy().T)
    # an infinitesimal ridge: scipy's root of a singular matrix is no number
    root = scipy.linalg.sqrtm(first @ second + 1e-14 * np.eye(5)).real
    shift = (a.mean(0) - b.mean(0)).square().sum()
    expected = float(shift) + np.trace(first) + np.trace(second) - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-5)


def test_its_bias_is_a_constant_over_the_number_of_examples():
    # standard normals on a line: 2/N from the means, 1/N from the deviations. It sees 2/N for 3/N.
    values = [
        100 * frechet_distance(*torch.randn(2, 100, 1, dtype=torch.float64)) for _ in range(4000)
    ]
    assert_mean(torch.tensor(values), 3.0, resolves=0.7, name="N times the distance")


def test_its_standard_error_is_that_of_the_delta_method():
    # shifted by 10: the variance of 10^2 + 20 (difference of means) is 400 * 2 / N
    found = []
    for _ in range(400):
        a, b = torch.randn(2, 100, 1, dtype=torch.float64)
        found.append(frechet_error(a, b + 10) ** 2)
    assert_mean(torch.tensor(found), 8.0, resolves=2.0, name="the squared error")


def test_features_that_do_not_compare_are_refused():
    x = torch.randn(30, 3)
    with pytest.raises(ShapeError, match="one space"):
        frechet_distance(x, x[:, :2])
    with pytest.raises(ShapeError, match="one space"):
        frechet_distance(x, x[:, 0])
    with pytest.raises(DataError, match="at least 2 examples"):
        frechet_distance(x, x[:1])
    with pytest.raises(DataError, match="at least 20 examples"):
        frechet_error(x, x[:19])

"""Imputation against exact conditionals: Gaussian ones, and finite sums over a mixed table."""

import numpy as np
import pytest
import torch

from lowerbound.applications import impute
from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import DataError, SettingError, SupportError
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import LinearGaussian, assert_frequencies, assert_mean

TABLE = Schema(tuple(Field(f"x{j}", "real", missing=True) for j in range(5)), (5,))


@pytest.fixture
def linear():
    """A linear Gaussian model, ten rows of it with two gaps each, and p(x_mis|x_obs)."""
    reference = LinearGaussian.random(2, 5)
    x = reference.simulate(10).x
    observed = torch.ones(10, 5, dtype=torch.bool)
    for i in range(10):
        observed[i, [i % 5, (i + 2) % 5]] = False
    covariance = reference.weight @ reference.weight.T + reference.scale.square() * torch.eye(5)
    means, covariances = [], []
    for row, known in zip(x, observed, strict=True):
        gain = torch.linalg.solve(covariance[known][:, known], covariance[known][:, ~known]).T
        means.append(reference.bias[~known] + gain @ (row - reference.bias)[known])
        covariances.append(covariance[~known][:, ~known] - gain @ covariance[known][:, ~known])
    junk = torch.where(observed, x, torch.nan)
    return reference, Examples(junk, observed), torch.stack(means), torch.stack(covariances)


def test_means_and_spreads_are_those_of_the_exact_conditional(linear):
    reference, examples, means, covariances = linear
    found = impute(reference.vae(), examples, TABLE, samples=20_000, seed=0)
    assert torch.allclose(found.value.reshape(10, 2), means, atol=0.05)
    variances = covariances.diagonal(dim1=-2, dim2=-1)
    assert torch.allclose(found.spread.reshape(10, 2), variances.sqrt(), rtol=0.1)
    deviation = 1.6449 * variances.sqrt()
    for end, sign in ((found.low, -1), (found.high, 1)):  # the first row has few effective draws
        expected = means + sign * deviation
        assert torch.allclose(end.reshape(10, 2)[1:], expected[1:], atol=0.2)


def test_the_encoder_of_complete_rows_alone_would_be_wrong(linear):
    # one draw has no weight to be resampled by: it is a draw of q, which takes gaps for zeros
    reference, examples, means, _ = linear
    found = [
        impute(reference.vae(), examples, TABLE, samples=1, seed=i).value - means.flatten()
        for i in range(60)
    ]
    with pytest.raises(AssertionError, match="where 0 was expected"):
        assert_mean(torch.stack(found), 0.0, resolves=2.0)


def test_multiple_imputations_are_draws_of_the_joint_conditional(linear):
    reference, examples, means, covariances = linear
    many = Examples(examples.x[8:9].repeat(1500, 1), examples.observed[8:9].repeat(1500, 1))
    found = impute(reference.vae(), many, TABLE, samples=1000, draws=1, seed=1)
    drawn = found.draws.reshape(1500, 2) - means[8]
    assert_mean(drawn, 0.0, resolves=0.4)
    products = drawn.unsqueeze(-1) * drawn.unsqueeze(-2)
    assert_mean(products, covariances[8], resolves=0.8, name="covariance of two gaps of a row")
    whole = found.complete(0)
    assert torch.equal(whole[:, examples.observed[8]], many.x[:, examples.observed[8]])


def test_a_mean_depends_on_no_other_row(linear):
    reference, examples, _, _ = linear
    for posterior in (None, DiagonalGaussian):
        model = reference.vae() if posterior is None else reference.vae(posterior)
        together = impute(model, examples, TABLE, samples=50, seed=3)
        alone = impute(model, examples.select(slice(7, 8)), TABLE, samples=50, seed=3)
        assert torch.allclose(together.value[together.row == 7], alone.value, rtol=1e-12)


def test_observed_cells_stay_and_gaps_hold_the_values(linear):
    reference, examples, _, _ = linear
    found = impute(reference.vae(), examples, TABLE, samples=20, seed=0)
    assert torch.equal(found.x[examples.observed], examples.x[examples.observed])
    assert torch.equal(found.x[found.row, found.cell], found.value)
    assert bool(examples.x[~examples.observed].isnan().all())  # the caller's rows stay, too
    assert len(found.row) == 20 and not bool(found.x.isnan().any())
    nothing = impute(reference.vae(), Examples(found.x), TABLE, samples=20, draws=2)
    assert torch.equal(nothing.x, found.x) and nothing.draws.shape == (2, 0)


def test_intervals_hold_nine_values_of_ten_however_few_the_draws(linear):
    reference, _, _, _ = linear
    # cells that do not depend on z: all weights are equal, and draws are of the exact conditional
    alone = LinearGaussian(torch.zeros_like(reference.weight), reference.bias, reference.scale)
    x = alone.simulate(2000).x
    observed = torch.zeros(2000, 5, dtype=torch.bool)
    observed[:, 0] = True
    for samples, chance in ((20, 19 / 21), (99, 0.9)):
        # one noise for all rows makes them no sample: rows of their own noise, by draws
        found = impute(
            alone.vae(), Examples(x, observed), TABLE, samples=samples, draws=1, seed=samples
        )
        truth = x[found.row, found.cell]
        inside = ((found.low <= truth) & (truth <= found.high)).double()
        assert_mean(inside, chance, resolves=0.03, name=f"coverage of {samples} draws")


def test_each_draw_of_z_gets_cells_of_its_own_though_one_has_all_the_weight(linear):
    reference, examples, _, _ = linear
    far = Examples(examples.x + 40, examples.observed)
    found = impute(reference.vae(), far, TABLE, samples=400, draws=400, seed=0)
    row = int(found.effective.argmin())
    assert float(found.effective[row]) < 2
    own = found.row == row
    assert all(len(set(column.tolist())) == 400 for column in found.draws[:, own].T)
    assert bool((found.spread[own] > 0.8 * reference.scale).all())


def test_values_of_a_mixed_table_are_the_best_of_their_exact_conditionals(finite):
    observed = torch.ones(40, 5, dtype=torch.bool)
    for i in range(40):
        observed[i, [i % 5, (i + 1) % 5]] = False
    examples = Examples(finite.x, observed)
    found = impute(finite.model, examples, finite.schema, samples=4000, seed=0)
    posterior = finite.model.posterior(finite.x, observed)  # (3, 40)
    for row, cell, value, spread in zip(
        *(part.tolist() for part in (found.row, found.cell, found.value, found.spread)), strict=True
    ):
        share = posterior[:, row]
        if cell >= 3:
            mean = float(share @ finite.mean[:, cell - 3])
            second = share @ (finite.scale.square() + finite.mean.square())[:, cell - 3]
            deviation = float((second - mean**2).sqrt())
            assert abs(value - mean) < 0.1 * deviation
            assert abs(spread - deviation) < 0.1 * deviation
            continue
        table = {0: torch.stack([1 - finite.member, finite.member], dim=1)}
        chances = share @ {**table, 1: finite.town, 2: finite.visits}[cell]
        if cell == 2:  # whole numbers: the median
            up = chances.cumsum(dim=0)
            assert up[int(value)] > 0.47 and (value == 0 or up[int(value) - 1] < 0.53)
        else:
            assert chances[int(value)] > chances.max() - 0.05
            assert abs(spread - (1 - float(chances[int(value)]))) < 0.05


def test_draws_of_words_are_as_frequent_as_they_should_be(finite):
    observed = torch.tensor([[True, False, True, True, True]])
    many = Examples(finite.x[:1].repeat(2000, 1), observed.repeat(2000, 1))
    found = impute(finite.model, many, finite.schema, samples=50, draws=1, seed=0)
    chances = finite.model.posterior(finite.x[:1], observed)[:, 0] @ finite.town
    assert_frequencies(found.draws[0], chances, resolves=0.1)


def test_several_models_take_turns_and_their_differences_spread_the_values(linear):
    reference, examples, _, _ = linear
    shifted = LinearGaussian(reference.weight, reference.bias + 10.0, reference.scale)
    models = [reference.vae(), shifted.vae()]
    one = impute(models[0], examples, TABLE, samples=500, seed=0)
    both = impute(models, examples, TABLE, samples=500, draws=4, seed=0)
    assert bool((both.spread > one.spread).all())
    assert bool((both.draws[0] != both.draws[2]).all())


def test_a_point_is_chosen(finite):
    observed = torch.tensor([[True, True, False, False, True]]).expand(40, -1)
    examples = Examples(finite.x, observed)

    def values(point):
        found = impute(finite.model, examples, finite.schema, samples=200, point=point, seed=0)
        return found.value.reshape(40, 2)

    mean, median, mode = values("mean"), values("median"), values("mode")
    chances = finite.model.posterior(finite.x, observed).T @ finite.visits
    exact = chances @ torch.arange(chances.shape[1], dtype=chances.dtype)
    assert torch.allclose(mean[:, 0], exact, atol=0.2)
    assert bool((median[:, 0] == median[:, 0].round()).all())
    assert not torch.equal(mode[:, 0], median[:, 0])
    assert torch.equal(mode[:, 1], median[:, 1])  # draws of reals never repeat


def test_what_cannot_be_imputed_is_refused(linear, finite):
    reference, examples, _, _ = linear
    with pytest.raises(SettingError, match="samples must be"):
        impute(reference.vae(), examples, TABLE, samples=0)
    with pytest.raises(SettingError, match="draws must be"):
        impute(reference.vae(), examples, TABLE, draws=-1)
    with pytest.raises(SettingError, match="point is one of auto, mean"):
        impute(reference.vae(), examples, TABLE, point="best")
    with pytest.raises(SettingError, match="at least one model"):
        impute([], examples, TABLE)
    far = Examples(torch.full((2, 5), 1e200, dtype=torch.float64), examples.observed[:2])
    with pytest.raises(DataError, match="too far from the training data to be imputed"):
        impute(reference.vae(), far, TABLE, samples=5)


def test_gaps_of_images_are_filled_too():
    schema = Schema((Field("image", "real", (1, 2, 2), missing=True),), (1, 2, 2))
    from lowerbound.catalogue import assemble

    model = assemble("vae", schema, {"latents": 2, "hidden": (4,)}, seed=0).model.eval()
    x = torch.randn(6, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    observed = torch.ones_like(x, dtype=torch.bool)
    observed[:, 0, 0] = False
    found = impute(model, Examples(x, observed), schema, samples=10, seed=0)
    assert found.x.shape == x.shape and np.isfinite(found.x.numpy()).all()
    assert torch.equal(found.x[observed], x.double()[observed])


def test_dependent_cells_are_refused(linear):
    reference, examples, _, _ = linear
    model = reference.vae()
    whole = model.likelihood

    class Dependent(torch.nn.Module):
        def forward(self, z, condition=None):
            law = whole(z)
            return torch.distributions.MultivariateNormal(law.mean, torch.eye(5).double())

    model.likelihood = Dependent()
    with pytest.raises(SupportError, match="dependent cells"):
        impute(model, examples, TABLE, samples=5)

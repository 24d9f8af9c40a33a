"""Evidence of weights that are written down: every figure by hand, and how much is held at once."""

import math
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

from lowerbound.core import Model, Space, Trace
from lowerbound.data import Batch, Examples
from lowerbound.distributions import Columns, Independent, Product
from lowerbound.distributions.size import numbers_per_cell
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import evidence
from lowerbound.evaluation.evidence import chunk_sizes
from lowerbound.testing.traces import made, with_rates

MODULE = sys.modules[evidence.__module__]  # the function hides its module
F64 = torch.float64


class Written(Model):
    """A model whose densities are a table, draws by examples; x is the number of an example."""

    def __init__(self, log_px: Tensor, rate: Tensor, kl: dict[str, Tensor]) -> None:
        super().__init__()
        self.log_px, self.rate, self.kl = log_px, rate, kl

    @property
    def latents(self):
        return {name: Space((1,)) for name in self.kl or ("z",)}

    def descend(self, choose, batch=None, condition=None):
        rows = 1 if batch is None else len(batch)
        unit = Independent(Normal(torch.zeros(rows, 1, dtype=F64), torch.ones(rows, 1)), 1)
        for name in self.latents:
            choose(name, unit, None if batch is None else unit)
        return unit

    def trace(self, batch: Batch, samples: int = 1, gradient: str = "total") -> Trace:
        assert samples == len(self.log_px)
        rows = batch.x[:, 0].long()
        rate = self.rate[:, rows]
        trace = made(self.log_px[:, rows], -rate, 0 * rate)
        kl = {name: kl[:, rows] for name, kl in self.kl.items()}
        return with_rates(trace, kl) if kl else trace


LOG_PX = torch.tensor([[-1.0, -4.0], [-2.0, -4.5], [-4.5, -7.0]], dtype=F64)
RATE = torch.tensor([[0.5, 1.0], [1.5, 0.5], [-0.5, 3.0]], dtype=F64)
NUMBERS = Examples(torch.tensor([[0.0], [1.0]]))


@pytest.mark.parametrize("groups", [0, 1, 2], ids=["drawn", "one group", "two groups"])
def test_every_figure_of_three_draws_is_as_by_hand(groups):
    units = torch.tensor([[[0.7], [0.9]]], dtype=F64)  # (1, B, 1): the same for every draw
    kl = {str(group): (group + 1) * units for group in range(groups)}
    found = evidence(Written(LOG_PX, RATE, kl), NUMBERS, 3)
    rate = RATE if groups == 0 else ({1: 1, 2: 3}[groups] * units)[..., 0].expand(3, 2)
    weight = (LOG_PX - RATE).exp()  # closed forms or not: a weight has the densities themselves
    assert torch.allclose(found.distortion, -LOG_PX.mean(dim=0))
    assert torch.allclose(found.rate, rate.mean(dim=0))
    assert torch.allclose(found.elbo, (LOG_PX - rate).mean(dim=0))
    assert torch.allclose(found.elbo_variance, (LOG_PX - rate).var(dim=0) / 3)
    assert torch.allclose(found.log_likelihood, weight.mean(dim=0).log())
    assert torch.allclose(
        found.effective_samples, weight.sum(dim=0).square() / weight.square().sum(dim=0)
    )
    if groups == 0:
        assert found.unit_rate is None
    else:  # all groups in a row
        assert found.unit_rate.tolist() == pytest.approx([0.8, 1.6][:groups])
    assert {name.dtype for name in (found.elbo, found.rate, found.elbo_variance)} == {F64}


@pytest.mark.parametrize("samples", [1, 2])
def test_one_draw_has_no_variance_and_two_have(samples):
    found = evidence(Written(LOG_PX[:samples], RATE[:samples], {}), NUMBERS, samples)
    if samples == 1:
        assert bool(found.elbo_variance.isnan().all())
    else:  # halves of squared differences, over 2
        assert found.elbo_variance.tolist() == pytest.approx([4.0 / 4, 0.0], abs=1e-12)


def test_an_example_is_named_whose_bound_is_no_number_though_a_draw_of_it_has_weight():
    impossible = LOG_PX.clone()
    impossible[0, 1] = -math.inf  # the ELBO is -inf, the weighted bound is not
    with pytest.raises(DataError, match=r"^1 of the examples, the first of them number 1, have no"):
        evidence(Written(impossible, RATE, {}), NUMBERS, 3)
    with pytest.raises(DataError, match=r"^2 of the examples, the first of them number 0, have no"):
        evidence(Written(impossible - math.inf, RATE, {}), NUMBERS, 3)


def test_as_many_draws_as_may_be_are_taken_and_one_more_is_refused(monkeypatch):
    monkeypatch.setattr(MODULE, "MOST_SAMPLES", 3)
    assert evidence(Written(LOG_PX, RATE, {}), NUMBERS, 3).samples == 3
    with pytest.raises(SettingError, match="samples must be at most 3, got 4"):
        evidence(Written(LOG_PX, RATE, {}), NUMBERS, 4)


@pytest.mark.parametrize(
    ("weights", "at_once", "chunks"),
    [
        (10**6, 10, [3, 3, 3, 1]),  # three chunks of three examples are nine
        (24, 10, [2, 2, 2, 2, 2]),
        (23, 10, [1] * 10),
        (1, 10, [1] * 10),
        (10**6, 4, [1] * 10),
        (10**6, 10**6, [10]),
    ],
)
def test_weights_of_some_chunks_are_summed_up_together(weights, at_once, chunks, monkeypatch):
    taken, columns = [], MODULE._columns
    monkeypatch.setattr(MODULE, "chunk_sizes", lambda *_: (3, 4))
    monkeypatch.setattr(MODULE, "WEIGHTS_AT_ONCE", weights)
    monkeypatch.setattr(MODULE, "BLOCK", at_once)

    def spied(some):
        taken.append([len(means) for _, _, means, _ in some])
        return columns(some)

    monkeypatch.setattr(MODULE, "_columns", spied)
    table = torch.linspace(-3, 0, 4 * 29, dtype=F64).reshape(4, 29)
    found = evidence(Written(table, 0 * table, {}), Examples(torch.arange(29.0)[:, None]), 4)
    assert [len(some) for some in taken] == chunks
    assert [rows for some in taken for rows in some] == [3] * 9 + [2]
    assert torch.allclose(found.elbo, table.mean(dim=0))


class Decoder(Model):
    """So many numbers for each cell, on some device."""

    def __init__(self, cells: int, per_cell: int, device: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, device=device))
        self.shape = (1, cells) if per_cell == 1 else (1, cells, per_cell)

    @property
    def latents(self):
        return {"z": Space((1,))}

    def descend(self, choose, batch=None, condition=None):
        zero = torch.zeros(self.shape, device=self.weight.device)
        choose(
            "z", Independent(Normal(zero[0, :1].flatten()[:1], 1.0, validate_args=False), 1), None
        )
        law = Categorical(logits=zero, validate_args=False)
        return Independent(Normal(zero, 1.0, validate_args=False) if zero.ndim == 2 else law, 1)


@pytest.mark.parametrize(
    ("cells", "per_cell", "device", "samples", "count", "expected"),
    [
        (1, 1, "cpu", 1, 9000, (500, 1)),  # no more examples than that
        (784, 1, "cpu", 1000, 9000, (1, 510)),  # 400,000 / 784
        (784, 2, "cpu", 1000, 9000, (1, 510)),
        (784, 5, "cpu", 1000, 9000, (1, 255)),
        (784, 1, "meta", 1000, 9000, (25, 1000)),  # 20 million on an accelerator
        (784, 1, "meta", 100, 90, (255, 100)),
        (784, 1, "meta", 10**6, 2, (1, 25_510)),
        (3, 1, "cpu", 10, 9000, (156, 10)),  # as if each had 256 cells
        (3, 1, "cpu", 400, 2, (3, 400)),
        (1, 1024, "cpu", 10, 9000, (78, 10)),  # 512 cells
        (500_000, 1, "cpu", 10, 9000, (1, 1)),  # one draw of one example is the least
    ],
)
def test_no_more_is_decoded_at_once_than_there_is_room_for(
    cells, per_cell, device, samples, count, expected
):
    examples = Examples(torch.zeros(1, 1).expand(count, cells))
    assert chunk_sizes(Decoder(cells, per_cell, device), examples, samples) == expected


def test_a_table_is_as_wide_as_its_columns_are_on_average():
    reals = Columns(torch.arange(9), Normal(torch.zeros(1, 9), 1.0))
    levels = Columns(torch.tensor([9]), Categorical(logits=torch.zeros(1, 1, 256)))
    assert numbers_per_cell(Product([reals, levels])) == (9 + 256) // 10


def test_there_is_room_for_what_is_documented():
    assert (MODULE.CELLS_AT_ONCE, MODULE.ACCELERATOR, MODULE.FEWEST_CELLS) == (400_000, 50, 256)
    assert (MODULE.EXAMPLES_AT_ONCE, MODULE.WEIGHTS_AT_ONCE) == (500, 5_000_000)
    assert MODULE.MOST_SAMPLES == 10_000_000


def test_a_block_of_examples_has_draws_of_its_own(monkeypatch):
    asked, seeded = [], MODULE.seeded

    def recorded(seed, device, *, stream=""):
        asked.append((seed, stream))
        return seeded(seed, device, stream=stream)

    monkeypatch.setattr(MODULE, "seeded", recorded)
    monkeypatch.setattr(MODULE, "chunk_sizes", lambda *_: (3, 4))
    monkeypatch.setattr(MODULE, "BLOCK", 10)
    table = torch.linspace(-3, 0, 4 * 29, dtype=F64).reshape(4, 29)
    evidence(Written(table, 0 * table, {}), Examples(torch.arange(29.0)[:, None]), 4, seed=7)
    blocks = ["evidence", "evidence 9", "evidence 18", "evidence 27"]
    assert asked == [(7, stream) for stream in blocks]

"""The VAE of counts given their total: what its means sum to, and what it is told."""

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import choose
from lowerbound.core import UNTOLD
from lowerbound.data import Field, Schema
from lowerbound.data.reading import reading
from lowerbound.testing import check_close
from lowerbound.testing.models import check_model

F64 = torch.float64
BATCH = Field("batch", "categorical", levels=2, categories=("a", "b"), role="condition")
TOTAL = Field("total", "count", mean=(3.0,), scale=(0.5,), role="condition", whole=True)


def schema_of(*told):
    x = Field("x", "count", (4,), mean=(1.0, 2.0, 3.0, 4.0), scale=(1.0,), whole=True)
    return Schema((x, *told), (4,), reading=reading(genes=("A", "B", "C", "D")))


def model_of(*told, **settings):
    torch.manual_seed(0)
    model, _ = lb.catalogue.build("count-vae", schema_of(*told), latents=2, hidden=[8], **settings)
    return model.double().eval()


def batch_of(*told):
    x = torch.tensor([[1, 0, 7, 2], [0, 0, 1, 0], [5, 4, 3, 2]], dtype=torch.int32)
    columns = {"batch": torch.tensor([1, 0, UNTOLD]), "total": x.sum(dim=1)}
    return lb.Batch(x, condition=torch.stack([columns[one.name] for one in told], dim=1))


@pytest.mark.parametrize("law", ["negative-binomial", "poisson"])
def test_means_sum_to_the_total(law):
    model, batch = model_of(BATCH, TOTAL, likelihood=law), batch_of(BATCH, TOTAL)
    means = model.reconstruct(batch).mean
    check_close(means.sum(dim=-1), batch.x.sum(dim=-1).double(), "the sum of means", 1e-6)


def test_a_decoder_of_zeros_gives_the_means_of_training_in_proportion_to_the_total():
    model = model_of(TOTAL)
    with torch.no_grad():
        for weight in model.likelihood.network.parameters():
            weight.zero_()
    means = model.decode({"z": torch.randn(3, 2, dtype=F64)}, torch.tensor([[10], [5], [1]])).mean
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=F64)
    check_close(means, shares * torch.tensor([[10.0], [5.0], [1.0]], dtype=F64), "means", 1e-6)


def test_a_total_that_is_not_told_is_the_usual_one():
    model = model_of(TOTAL)
    z = {"z": torch.zeros(1, 2, dtype=F64)}
    for condition in (None, torch.tensor([[UNTOLD]])):
        total = model.decode(z, condition).mean.sum()
        check_close(total, torch.tensor(3.0, dtype=F64).exp(), "total", 1e-6)


def test_the_batch_reaches_both_ends_and_the_total_only_the_scale():
    model = model_of(BATCH, TOTAL)
    z = {"z": torch.zeros(3, 2, dtype=F64)}
    a, b, large = model.decode(z, torch.tensor([[0, 20], [1, 20], [0, 200]])).mean
    assert not torch.allclose(a, b)
    check_close(large, 10 * a, "ten times the total", 1e-6)


def test_a_model_that_is_told_totals_climbs_the_ladder():
    check_model(model_of(BATCH, TOTAL), batch_of(BATCH, TOTAL))


def test_single_cells_choose_it_by_themselves():
    found = choose(schema_of(TOTAL), 500)
    assert (found.recipe, found.settings["likelihood"]) == ("count-vae", "negative-binomial")
    assert (found.settings["inputs"], found.settings["latents"]) == ("logs", 10)


def test_the_encoder_sees_logarithms_and_no_unobserved_cell():
    from lowerbound.catalogue.flat import view_of

    view = view_of(schema_of(TOTAL), "logs")
    x = torch.tensor([[1, 0, 7, 2]], dtype=torch.int32)
    known = torch.tensor([[True, True, False, True]])
    check_close(view(lb.Batch(x)), x.float().log1p() - torch.arange(1.0, 5).log1p(), "logs", 1e-6)
    hidden = view(lb.Batch(x, known))
    assert float(hidden[0, 2]) == 0.0 and torch.equal(hidden[known], view(lb.Batch(x))[known])

"""What an encoder sees: standardised, then 0 where unobserved, classes one by one, and the mask."""

import math

import pytest
import torch

from lowerbound.catalogue import build
from lowerbound.catalogue.flat import view_of
from lowerbound.core import Batch, View
from lowerbound.data import Field, Schema
from lowerbound.distributions import Bins, Layout
from lowerbound.testing import SCHEMAS, example_batch

JUNK = (0.5, 1e30, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("junk", [0.0, *JUNK])
def test_an_unobserved_cell_is_the_mean_whatever_it_holds(junk):
    # 0 before standardising was -1000 deviations of a column N(1000, 1)
    view = View(torch.tensor([1000.0, 0.0]), torch.tensor([1.0, 2.0]))
    x = torch.tensor([[junk, 4.0], [1001.0, junk]], requires_grad=True)
    seen = view(Batch(x, torch.tensor([[False, True], [True, False]])))
    assert seen.tolist() == [[0.0, 2.0], [1.0, 0.0]]
    (gradient,) = torch.autograd.grad(seen.sum(), x)
    assert gradient.tolist() == [[0.0, 0.5], [1.0, 0.0]]


def test_the_mask_stands_beside_the_cells_also_where_all_are_observed():
    view = View(1.0, 2.0, masked=True)
    x = torch.tensor([[3.0, 7.0]])
    assert view(Batch(x, torch.tensor([[True, False]]))).tolist() == [[1.0, 0.0, 1.0, 0.0]]
    assert view(Batch(x)).tolist() == [[1.0, 3.0, 1.0, 1.0]]
    assert view.shape((2,)) == (4,)


def test_the_mask_of_an_image_is_as_many_channels_more():
    view = View(masked=True)
    x, observed = torch.randn(5, 3, 4, 2), torch.rand(5, 3, 4, 2) < 0.5
    seen = view(Batch(x, observed))
    assert seen.shape[1:] == view.shape((3, 4, 2)) == (6, 4, 2)
    assert torch.equal(seen[:, :3], torch.where(observed, x, 0.0))
    assert torch.equal(seen[:, 3:], observed.float())


def test_classes_are_one_number_a_level_and_none_where_unobserved():
    view = View(torch.tensor([10.0, 0.0]), torch.tensor([2.0, 1.0]), levels={1: 3}, masked=True)
    x = torch.tensor([[12.0, 2.0], [8.0, 0.0], [10.0, math.nan]], dtype=torch.float64)
    observed = torch.tensor([[True, True], [True, True], [True, False]])
    assert view(Batch(x, observed)).tolist() == [
        [1.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        [-1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    ]
    assert view.shape((2,)) == (6,)


def test_a_column_of_bins_is_its_number_and_one_number_a_bin_none_where_unobserved():
    words, cut = Bins((1, 1, 1)), Bins((4, 0, 2, 0), (0.0,), (0.0, 4.0))
    view = View(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.5]), masked=True,
                bins=((0, 1), Layout([words, cut])))  # fmt: skip
    x = torch.tensor([[2.0, 0.0], [1.0, 3.0], [math.nan, 99.0], [0.0, math.inf]])
    observed = torch.tensor([[True, True], [True, True], [False, True], [True, False]])
    assert view(Batch(x, observed)).tolist() == [
        [-4.0, 0, 0, 1, 1, 0, 0, 0, 1, 1],
        [2.0, 0, 1, 0, 0, 0, 1, 0, 1, 1],
        [6.0, 0, 0, 0, 0, 0, 0, 1, 0, 1],  # far beyond training: held at six scales
        [0.0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    ]
    assert view.shape((2,)) == (10,)


def test_several_columns_of_classes_keep_their_places():
    view = View(levels={2: 2, 0: 3})
    seen = view(Batch(torch.tensor([[2, 7, 1], [0, 8, 0]], dtype=torch.int32)))
    assert seen.tolist() == [[0, 0, 1, 7, 0, 1], [1, 0, 0, 8, 1, 0]]
    assert "2 categorical" in repr(view)


def test_a_view_is_computed_in_the_precision_of_the_data():
    # 1e9 and 1e9 + 1 are the same float32: subtracting first keeps the difference
    view = View(torch.tensor(1e9, dtype=torch.float64), 1.0)
    got = view(Batch(torch.tensor([[1e9, 1e9 + 1]], dtype=torch.float64)))
    assert got.tolist() == [[0.0, 1.0]]
    assert got.dtype == torch.float32
    bytes_ = Batch(torch.tensor([[0, 255]], dtype=torch.uint8))
    assert View(127.5, 127.5)(bytes_).tolist() == [[-1, 1]]


def test_floats_that_are_left_as_they_are_keep_their_type_and_their_place():
    x = torch.randn(2, 3, dtype=torch.float64)
    assert View()(Batch(x)) is x
    assert View()(Batch(torch.tensor([[3]], dtype=torch.uint8))).dtype == torch.float32
    assert "mean=0, scale=1" in repr(View())
    assert "shape (2,)" in repr(View(torch.zeros(2), torch.ones(2), masked=True))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_view_of_a_schema_has_the_shape_it_says(schema):
    view = view_of(SCHEMAS[schema])
    batch = example_batch(SCHEMAS[schema])
    assert view(batch).shape[1:] == view.shape(SCHEMAS[schema].shape)
    assert bool(torch.isfinite(view(batch)).all())


def test_a_mixed_table_is_seen_column_by_column():
    view = view_of(SCHEMAS["mixed 6"])
    x = torch.tensor([[1.0, 2.0, 6.0, 1003.0, 0.0, -2.1]], dtype=torch.float64)
    observed = torch.tensor([[True, True, True, False, True, True]])
    wanted = [1.2, 0, 0, 1, 1.0, 0.0, -2 / 1.4, -1.0]
    seen = view(Batch(x, observed))[0]
    assert torch.allclose(seen, torch.tensor([*wanted, 1, 1, 1, 0, 1, 1]), rtol=1e-5, atol=1e-6)


def test_a_view_follows_its_model_and_is_saved_with_it():
    model, _ = build("vae", SCHEMAS["mixed 6"], latents=2, hidden=(4,))
    state = model.state_dict()
    assert state["view.mean"].tolist() == pytest.approx([0.4, 0.0, 4.0, 1000.0, 2.0, -2.0])
    assert state["view.scale"].tolist() == pytest.approx([0.5, 1.0, 2.0, 3.0, 1.4, 0.1])


def test_an_image_with_gaps_is_encoded_with_its_mask():
    field = Field("image", "ordinal", (1, 5, 4), 9, missing=True)
    schema = Schema((field,), (1, 5, 4))
    for network in ("mlp", "residual"):
        model, _ = build("vae", schema, latents=2, network=network)
        assert model.posterior.network.inputs == (2, 5, 4)
        batch = example_batch(schema)
        full = torch.ones(batch.x.shape, dtype=torch.bool)
        hidden = full.clone()
        hidden[:, :, 2] = False
        places = [model.encode(Batch(batch.x, m)).latents["z"] for m in (None, full, hidden)]
        assert torch.equal(places[0], places[1])
        assert not torch.equal(places[1], places[2])

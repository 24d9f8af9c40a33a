"""Cells drawn 0 or 1 by their grey level: anew in training, once for what is held out."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.data import Examples, Raw, Schema, coerce
from lowerbound.data.grey import Grey, drawn_once
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError, SettingError
from lowerbound.testing import assert_mean


def pictures(count: int = 40) -> np.ndarray:
    """Every grey level of a byte, in 8x8 pictures that are all different."""
    levels = np.random.default_rng(0).permutation(64 * count) % 256
    return levels.reshape(count, 8, 8).astype(np.uint8)


def test_a_cell_is_one_as_often_as_its_grey_level_says():
    # 50,000 draws of each level: a chance off by 0.02 is seen in all but 1 of 10^5 cases, and 4.9
    # standard errors, 0.011 at most, are exceeded by chance in one of 10^6
    grey = Grey(torch.arange(256, dtype=torch.uint8).expand(50_000, 256), 255.0)
    draws = grey.draw(slice(None)).double()
    chance = torch.arange(256, dtype=torch.float64) / 255
    inner = slice(1, 255)
    assert_mean(draws[:, inner], chance[inner], resolves=0.02 * torch.ones(254), name="bits")
    assert float(draws[:, 0].max()) == 0.0
    assert float(draws[:, 255].min()) == 1.0


def test_the_fixed_draw_has_the_same_chances_and_is_the_same_for_a_seed():
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8), (50_000, 256))
    bits = drawn_once(levels, 255.0, seed=3)
    chance = torch.arange(256, dtype=torch.float64)[1:255] / 255
    assert_mean(torch.tensor(bits[:, 1:255]).double(), chance, resolves=0.02 * torch.ones(254))
    assert bits[:, 0].max() == 0
    assert bits[:, 255].min() == 1
    assert (bits == drawn_once(levels, 255.0, seed=3)).all()
    assert (bits != drawn_once(levels, 255.0, seed=4)).any()


def test_training_sees_other_bits_each_time_and_everyone_else_the_same():
    data = lb.read(pictures(), binarize="dynamic")
    assert data.schema.kind == "binary"
    assert data.schema.white == 255.0
    rows = slice(0, 10)
    assert not torch.equal(data.train.draw(rows).x, data.train.draw(rows).x)
    assert torch.equal(data.train.batch(rows).x, data.train.batch(rows).x)
    assert torch.equal(data.train.batch(rows).x, data.train.x[rows])
    for part in (data.train, data.validation, data.test):
        assert part.x.dtype == torch.uint8
        assert set(part.x.unique().tolist()) == {0, 1}
        assert part.grey is not None


def test_what_is_held_out_has_no_say_in_which_bits_it_is_judged_by():
    x = pictures()
    once, again = (lb.read(x, binarize="dynamic") for _ in range(2))
    other = lb.read(x, binarize="dynamic", seed=1)
    assert once.fingerprint == again.fingerprint != other.fingerprint
    assert torch.equal(once.test.x, again.test.x)


def test_grey_levels_follow_their_examples():
    data = lb.read(pictures(), binarize="dynamic")
    some = data.train.select(torch.tensor([3, 1]))
    assert torch.equal(some.grey.levels, data.train.grey.levels[torch.tensor([3, 1])])
    assert some.to("cpu").grey is not None
    # black stays black and white white, whatever is drawn
    drawn = data.train.draw(slice(0, 5)).x
    levels = data.train.grey.levels[:5]
    assert bool((drawn[levels == 0] == 0).all())
    assert bool((drawn[levels == 255] == 1).all())


def test_identical_pictures_stay_on_one_side_though_their_bits_differ():
    x = np.concatenate([pictures(20), pictures(20)])
    data = lb.read(x, binarize="dynamic")
    sides = [
        {row.numpy().tobytes() for row in part.grey.levels}
        for part in (data.train, data.validation, data.test)
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]


@pytest.mark.parametrize(
    ("values", "white"),
    [(np.arange(640).reshape(10, 64) % 17 / 16.0, 1.0), (pictures(10), 255.0)],
)
def test_the_brightest_level_is_certain(values, white):
    assert lb.read(values, binarize="dynamic").schema.white == white


def test_what_has_no_grey_levels_is_refused():
    with pytest.raises(SettingError, match="no grey levels to draw them from; leave out"):
        lb.read(pictures() > 100, binarize="dynamic")
    with pytest.raises(DataError, match=r"reals must lie in \[0, 1\]"):
        lb.read(np.random.default_rng(0).normal(size=(50, 4)), binarize="dynamic")
    with pytest.raises(SettingError, match="True, False or 'dynamic', got 'sometimes'"):
        lb.read(pictures(), binarize="sometimes")


def test_the_schema_says_so_and_survives_json():
    schema = lb.read(pictures(), binarize="dynamic").schema
    assert schema.describe() == "binary images 1x8x8, drawn from grey levels 0 to 255"
    assert schema.binarized
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    plain = replace(schema, white=None)
    assert "white" not in plain.to_json()
    with pytest.raises(DataError, match="white"):
        replace(schema, threshold=127.5)
    with pytest.raises(DataError, match="white"):
        replace(schema, white=0.0)


def test_new_pictures_are_drawn_for_the_model_and_always_alike():
    schema = lb.read(pictures(), binarize="dynamic").schema
    examples, _ = coerce(Raw("new", ArrayRows(pictures(5)[:, None])), schema)
    again, _ = coerce(Raw("new", ArrayRows(pictures(5)[:, None])), schema)
    assert set(examples.x.unique().tolist()) == {0, 1}
    assert torch.equal(examples.x, again.x)
    bits = (pictures(5) > 100).astype(np.uint8)
    assert torch.equal(
        coerce(Raw("bits", ArrayRows(bits[:, None])), schema)[0].x, torch.tensor(bits).unsqueeze(1)
    )
    with pytest.raises(DataError, match="drawn from grey levels 0 to 255"):
        coerce(Raw("new", ArrayRows(pictures(5)[:, None].astype(np.int64) + 3)), schema)


def test_without_grey_levels_a_training_sees_what_is_stored():
    examples = Examples(torch.arange(6.0).reshape(3, 2))
    assert torch.equal(examples.draw(slice(1, 3)).x, examples.batch(slice(1, 3)).x)

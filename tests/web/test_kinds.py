"""Requests about every kind of data: as it is shown, gaps, odd cells, groups."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lowerbound.errors import SettingError, ShapeError
from lowerbound.models import Gaps
from lowerbound.web.service import Service
from lowerbound.web.steps import finish

KINDS = ("image", "row", "text", "tune", "series", "vector")


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_goes_out_and_comes_in_the_same(explorers, kind):
    explorer = explorers[kind]
    assert explorer.about()["kind"] == kind
    one = explorer.example(0)
    json.dumps(one, allow_nan=False)
    back = explorer.encode([one["example"]])["latents"][0]
    np.testing.assert_allclose(back, explorer.means[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["image", "row", "series", "vector"])
def test_gaps_are_filled_and_known_cells_stay(explorers, kind):
    explorer = explorers[kind]
    one = explorer.example(0)["example"]
    if kind == "row":
        gapped = {**one, "kind": None, "planted": None}
        known = [name for name in gapped if gapped[name] is not None]
    else:
        gapped = np.array(one, dtype=object)
        gapped[..., -1:] = None
        gapped = gapped.tolist()
    found = explorer.impute([gapped], draws=3, seed=0)
    json.dumps(found, allow_nan=False)
    assert [len(each) for each in found["completions"]] == [3]
    if kind == "row":
        whole = [found["examples"][0], *found["completions"][0]]
        assert all(row[name] == one[name] for row in whole for name in known)
        assert all(row["kind"] in ("oak", "elm", "ash") for row in whole)
        assert found["spread"][0]["kind"] is not None
        return
    gaps = np.array([value is None for value in np.array(gapped, dtype=object).flat])
    for filled in (found["examples"][0], *found["completions"][0]):
        cells = np.array(filled, float).flatten()
        np.testing.assert_allclose(cells[~gaps], np.array(one, float).flatten()[~gaps], rtol=1e-6)
    spread = np.array(found["spread"][0], dtype=object).flatten()
    assert [value is not None for value in spread] == gaps.tolist()


def test_new_rows_have_gaps_as_the_data_where_their_law_is_known(explorers):
    explorer = explorers["row"]
    assert all(row["size"] is not None for row in explorer.generate(9, seed=0)["examples"])
    units, run = sum(space.units for space in explorer.model.latents.values()), explorer.run
    law = Gaps(units, torch.tensor([[False, True, False]]), joint=False)
    law.start(torch.ones(1))
    service = Service(replace(run, gaps=law))
    rows = service.generate(9, seed=0)["examples"]
    assert all(row["size"] is None and row["kind"] for row in rows)
    assert all(row["size"] for row in service.generate(9, seed=0, draw=False)["examples"])


def test_completions_depend_on_the_seed_alone(explorers):
    row = {**explorers["row"].example(1)["example"], "kind": None}
    first = explorers["row"].impute([row], draws=2, seed=3)
    assert explorers["row"].impute([row], draws=2, seed=3) == first


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_of_an_example_has_a_share(explorers, kind):
    explorer = explorers[kind]
    share = finish(explorer.shares([0, 1]))["shares"][0]
    one = explorer.example(0)["example"]
    if kind == "row":
        assert set(share) == set(one)
        assert [share[name] is None for name in one] == [one[name] is None for name in one]
    else:
        assert np.shape(share) == np.shape(list(one) if kind == "text" else one)


def test_shares_of_a_text_add_up_to_the_log_probability_of_its_bytes(explorers):
    # each character has the sum of its bytes: two of an umlaut
    explorer = explorers["text"]
    share, text = finish(explorer.shares([0]))["shares"][0], explorer.example(0)["example"]
    some = explorer.examples([text])
    law = explorer.model.reconstruct(some.batch(slice(0, 1)))
    cells = law.cells(some.x)[0].detach()
    assert sum(share) == pytest.approx(-float(cells[: len(text.encode())].sum()), abs=0.01)


def test_groups_are_told_apart_by_the_unit_that_differs(explorers):
    explorer = explorers["vector"]
    order = np.argsort(explorer.means[:, 1]).tolist()
    found = explorer.apart(order[:2], order[-2:])
    way = explorer.means[order[-2:]].mean(axis=0) - explorer.means[order[:2]].mean(axis=0)
    np.testing.assert_allclose(found["vector"], way)
    assert set(found["units"]) == {0, 1}
    assert found["effects"][found["units"].index(1)] > 0


@pytest.mark.parametrize(
    ("kind", "use", "given", "error"),
    [
        ("text", "encode", ([""],), ShapeError),
        ("text", "encode", ([1],), ShapeError),
        ("row", "impute", ([{"kind": "oak"}], 0), SettingError),
        ("row", "shares", ([80],), SettingError),
        ("row", "shares", ([True],), SettingError),
        ("row", "shares", ([],), SettingError),
        ("row", "apart", ([0], [-1]), SettingError),
        ("row", "apart", ([0], ["a"]), SettingError),
    ],
)
def test_impossible_requests_are_refused(explorers, kind, use, given, error):
    with pytest.raises(error):
        found = getattr(explorers[kind], use)(*given)
        finish(found)

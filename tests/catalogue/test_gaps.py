"""The law of gaps that is fitted after training: what it learns, and its file in a run."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import assemble, gaps
from lowerbound.catalogue.gaps import FittedGaps, fit_gaps
from lowerbound.data import Field, Schema
from lowerbound.errors import RunError
from lowerbound.runs import RunDirectory, drop_gaps, write_gaps, write_weights
from lowerbound.runs.load import spec_of
from lowerbound.runs.weights import read_header
from lowerbound.testing import assert_mean

SMALL = {"latents": 2, "hidden": [8]}


def world(count: int, cells: int, seed: int):
    """Give z, and gaps of columns 0 and 1 together with a chance of sigmoid(3 z - 2)."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, 1, generator=generator)
    gap = torch.rand(count, 1, generator=generator) < torch.sigmoid(3 * z - 2)
    known = torch.ones(count, cells, dtype=torch.bool)
    known[:, :2] = ~gap
    return z, known


@pytest.mark.parametrize("sets", [64, 1])
def test_what_z_tells_of_the_gaps_is_learned(monkeypatch, sets):
    parts = iter((world(3000, 3, 0), world(2000, 3, 1)))
    monkeypatch.setattr(gaps, "_encoded", lambda *_: next(parts))
    monkeypatch.setattr(gaps, "MOST_SETS", sets)  # of more, each column is by itself
    fields = tuple(Field(name, "real", missing=True) for name in "abc")
    part = SimpleNamespace(few=lambda most: None, __len__=lambda self: 1)
    data = SimpleNamespace(schema=Schema(fields, (3,)), train=part, validation=[0])
    data.validation = type("Part", (list,), {"few": lambda self, most: self})([0])
    model = SimpleNamespace(latents={"z": SimpleNamespace(units=1)})
    found = fit_gaps(model, data, seed=0)
    assert found.law.joint == (sets == 64)
    z, known = world(2000, 3, 1)
    chance = torch.sigmoid(3 * z[:, 0] - 2).double()
    gap = ~known[:, 0]
    exact = torch.where(gap, chance, 1 - chance).log()
    share = gap.double().mean()
    entropy = float(-(share * share.log() + (1 - share) * (1 - share).log()))
    wanted = float(exact.mean()) + entropy
    assert found.gain == pytest.approx(wanted * (1 if sets == 64 else 2), abs=0.03)
    drawn = found.law.draw(found.law(torch.full((4000, 1), 1.0)))
    assert_mean((~drawn[:, 0]).double(), 1 / (1 + math.exp(-1)), resolves=0.12)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "table.csv"
    lines = [f"{i % 7 + i / 100:.2f},{'' if i % 3 == 0 else 'ab'[i % 2]}" for i in range(150)]
    path.write_text("\n".join(["x,word", *lines]))
    data = lb.read(path)
    made = assemble("table", data.schema, {**SMALL, "epochs": 1}, examples=len(data.train), seed=0)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    lb.runs.save(tmp_path / "run", spec_of(made, data, 0), fit)
    return RunDirectory(tmp_path / "run"), fit.model, data


def test_a_law_of_gaps_is_kept_beside_the_weights_and_changes_no_log_p(run):
    directory, model, data = run
    before = lb.evaluation.score(lb.load(directory.path).model, data.test, 5, seed=0)
    found = fit_gaps(model, data)
    assert found is not None and found.law.sets.tolist() == [[False, False], [False, True]]
    write_gaps(directory, found)
    again = lb.load(directory.path)
    for name, value in found.law.state_dict().items():
        assert torch.equal(again.gaps.state_dict()[name], value)
    after = lb.evaluation.score(again.model, data.test, 5, seed=0)
    assert torch.equal(before.log_likelihood, after.log_likelihood)
    assert drop_gaps(directory) and not drop_gaps(directory)
    assert lb.load(directory.path).gaps is None


def test_drawn_rows_have_as_many_gaps_and_else_the_cells_of_before(run):
    _, model, data = run
    law = fit_gaps(model, data).law
    x, known = lb.applications.generate_rows(model, law, 900, seed=3)
    assert torch.equal(x, lb.applications.generate(model, 900, seed=3).double())
    assert bool(known[:, 0].all())
    assert_mean((~known[:, 1]).double(), 1 / 3, resolves=0.16)
    assert lb.applications.generate_rows(model, None, 5, seed=3)[1] is None
    one, other = (lb.applications.generate_rows(model, law, 5)[0] for _ in range(2))
    assert not torch.equal(one, other)  # without a seed each call has its own


def test_a_table_without_gaps_has_no_law_of_gaps(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["x,y", *(f"{i / 7:.2f},{i % 5}" for i in range(120))]))
    data = lb.read(path)
    made = assemble("table", data.schema, SMALL, seed=0)
    assert fit_gaps(made.model, data) is None


@pytest.mark.parametrize("change", [{"joint": 1}, {"gain": "much"}, "cells", None])
def test_a_damaged_law_of_gaps_is_one_line_that_says_how_to_do_without(run, change):
    directory, model, data = run
    found = fit_gaps(model, data)
    write_gaps(directory, found)
    path = directory.path / "gaps.safetensors"
    about, tensors = json.loads(read_header(path)["gaps"]), found.law.state_dict()
    if change is None:
        path.write_bytes(path.read_bytes()[:-9])
    elif change == "cells":
        tensors["sets"] = tensors["sets"][:, :1].contiguous()
        write_weights(path, tensors, gaps=json.dumps(about))
    else:
        write_weights(path, tensors, gaps=json.dumps(about | change))
    with pytest.raises(RunError, match=r"gaps.safetensors is damaged.*--gaps --undo"):
        lb.load(directory.path)


def test_a_law_of_gaps_of_earlier_weights_is_none(run):
    directory, model, data = run
    found = fit_gaps(model, data)
    write_gaps(directory, FittedGaps(found.law, 0.0, 0.0))
    path = directory.path / "gaps.safetensors"
    about = json.loads(read_header(path)["gaps"]) | {"weights": "others"}
    write_weights(path, found.law.state_dict(), gaps=json.dumps(about))
    assert lb.load(directory.path).gaps is None

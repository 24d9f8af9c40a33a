"""Report, doctor and comparison of a model of two groups of latents that no recipe made."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import lowerbound as lb
from lowerbound.compare import compare_runs
from lowerbound.data import Data
from lowerbound.doctor import examine
from lowerbound.doctor.gather import some
from lowerbound.doctor.gather.belief import belief_of, spread_of
from lowerbound.doctor.gather.cells import cells_of
from lowerbound.doctor.rules.collapse import unused_units
from lowerbound.doctor.rules.rate import rate_too_high
from lowerbound.doctor.symptoms import Record, Symptoms
from lowerbound.evaluation import evaluate
from lowerbound.report import write_report
from lowerbound.report.latents import latents_of
from lowerbound.report.write import render
from lowerbound.runs import Run
from lowerbound.runs.load import spec_of
from lowerbound.runs.writer import save
from lowerbound.testing import LinearGaussianChain

CHAIN = LinearGaussianChain((3, 2), 4)


@pytest.fixture(scope="module")
def data() -> Data:
    return lb.read(CHAIN.simulate(1000).x)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Run:
    """A run of a recipe whose model is then the chain."""
    place = tmp_path_factory.mktemp("chain") / "run"
    chosen = {"hidden": [4], "epochs": 2, "latents": 5}
    assembly = lb.catalogue.assemble("vae", data.schema, chosen, seed=0)
    fit = lb.fit(assembly.model, assembly.objective, data, assembly.training, seed=0)
    save(place, spec_of(assembly, data, 0), fit)
    return replace(lb.load(place), model=CHAIN)


def test_a_report_shows_both_groups(run, data, tmp_path: Path) -> None:
    found = evaluate(CHAIN, data, samples=30)
    text = render(run, data, found)
    assert "LinearGaussianChain" in text
    assert "z2" in text and "z1" in text
    assert "Left out:" not in text
    assert write_report(run, data, found, tmp_path / "report.html").exists()
    latents = latents_of(run, data.test.load(), found)
    assert latents.units == 5
    with torch.no_grad():
        q = CHAIN.posterior(data.test.load().x)
    assert torch.allclose(latents.means, torch.cat([q.mean[:, 3:], q.mean[:, :3]], dim=1))


def test_the_doctor_measures_both_groups_at_the_truth(data) -> None:
    train, held_out = some(data.train, 500), some(data.validation, 500)
    belief = belief_of(CHAIN, data, train, held_out, 50, 0)
    exact = CHAIN.log_evidence(held_out.x).mean().item()
    assert belief.elbo + belief.gap == pytest.approx(exact)
    assert belief.groups == {"z2": 2, "z1": 3}
    # q(z) = p(z): a mean square of 1 in every unit, known to 4.9 of sqrt(2 / 500)
    spread = spread_of(CHAIN, train, 0)
    assert spread.shape == (5,)
    assert float((spread - 1).abs().max()) < 4.9 * (2 / len(train)) ** 0.5 + 0.1
    cells = cells_of(CHAIN, data, train, 0)
    scale = CHAIN.log_scales[0].exp().item()
    assert [cell.scale for cell in cells] == pytest.approx([scale] * 4)
    # of 500 rows each is known to 1 / sqrt(1000) of itself
    assert [cell.residual for cell in cells] == pytest.approx([scale] * 4, rel=4.9 / 1000**0.5)


def test_a_run_of_the_chain_is_examined(run, data) -> None:
    found = examine(run, data, samples=50)
    # the record is that of two epochs; nothing is wrong with the model
    assert {finding.name for finding in found.findings} <= {"under-training"}
    assert "posterior collapse" in found.looked
    assert found.symptoms.belief is not None
    assert json.dumps(found.to_json())


def test_the_doctor_names_the_group_of_which_it_speaks(data) -> None:
    train, held_out = some(data.train, 100), some(data.validation, 50)
    belief = belief_of(CHAIN, data, train, held_out, 30, 0)
    beyond = replace(belief, spread=(5.0, 5.0, 1.0, 1.0, 1.0))
    finding = rate_too_high(Symptoms(Record("epochs", 2), 100, belief=beyond))
    # over all units alike a typical one is as it should be
    assert finding is not None and "unit of group z2 has 5.0 times" in finding.words
    assert rate_too_high(Symptoms(Record("epochs", 2), 100, belief=belief)) is None
    wide = replace(
        belief, groups={"top": 2, "below": 8}, spread=(1.0,) * 10,
        variances=(1.0, 1.0, *(0.0,) * 8),
    )  # fmt: skip
    finding = unused_units(Symptoms(Record("epochs", 2), 100, belief=wide))
    assert finding is not None
    assert "(active: 2 of 2 in group top, 0 of 8 in group below)" in finding.words


def test_runs_are_compared_whatever_their_groups(run, data) -> None:
    worse = LinearGaussianChain((3, 2), 4)
    with torch.no_grad():
        worse.biases[0] += 1.0
    found = compare_runs(run, replace(run, path=Path("worse"), model=worse), data=data, samples=20)
    x = data.test.load().x
    difference = (CHAIN.log_evidence(x) - worse.log_evidence(x)).mean().item()
    (only,) = found.differences
    assert only.log_likelihood.mean == pytest.approx(difference, abs=0.3)
    assert "is better than worse" in only.verdict

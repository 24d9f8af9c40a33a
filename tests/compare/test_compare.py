"""Runs against each other: the same run twice, known winners, and every refusal."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue.assemble import assemble
from lowerbound.compare import compare_runs
from lowerbound.compare.compare import difference
from lowerbound.compare.paired import paired
from lowerbound.data import Examples
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation import evidence
from lowerbound.runs import RunDirectory
from lowerbound.runs.load import spec_of
from lowerbound.runs.writer import save
from lowerbound.testing import LinearGaussian

GENERATOR = np.random.default_rng(0)
REALS = GENERATOR.normal(size=(200, 1)) + 0.3 * GENERATOR.normal(size=(200, 4))
BITS = (REALS > 0).astype(np.uint8)
GREYS = GENERATOR.integers(0, 256, size=(60, 4, 4), dtype=np.uint8)


@pytest.fixture(scope="session")
def make(tmp_path_factory) -> Callable[..., Path]:
    """A run of few epochs on an array; `read` arguments and settings by name."""
    folder = tmp_path_factory.mktemp("compare")

    @cache
    def made(name: str, file: str, epochs: int = 2, split: int = 0, binarize: bool = False) -> Path:
        arrays = {
            "reals": REALS,
            "millimetres": 1000 * REALS,
            "others": REALS[::-1] + 0.01,
            "wide": np.concatenate([REALS, REALS], axis=1),
            "bits": BITS,
            "rare bits": np.random.default_rng(1).random((200, 4)) < [0.5, 0.5, 0.5, 0.02],
            "bits as reals": BITS + 0.01 * REALS,
            "greys": GREYS,
            "levels": (GREYS // 16).astype(np.int16),
        }
        place = folder / f"{file}.npy"
        np.save(place, arrays[file])
        data = lb.read(place, seed=split, binarize=binarize)
        chosen = {"epochs": epochs, "hidden": [16], "learning_rate": 0.02, "batch_size": 32}
        assembly = assemble("vae", data.schema, chosen, seed=0)
        fit = lb.fit(assembly.model, assembly.objective, data, assembly.training, seed=0)
        options = {"binarize": True} if binarize else {}
        save(folder / name, spec_of(assembly, data, 0, location=str(place), **options), fit)
        return folder / name

    return made


def test_a_run_against_itself_is_the_same_to_the_last_digit(make) -> None:
    run = make("a", "reals")
    found = compare_runs(run, run, samples=5)
    (only,) = found.differences
    assert only.log_likelihood.mean == 0 and only.log_likelihood.standard_error == 0
    assert only.log_likelihood.first_better == 0.5
    assert only.verdict.endswith("are the same to the last digit")
    assert found.examples == 20 and "no correction" in found.correction


def test_the_difference_of_two_known_densities_is_found(make, tmp_path: Path) -> None:
    """No latents in effect, N(0, 1) against N(0, 4) in each cell: known for each x."""
    runs = []
    for scale in (1.0, 2.0):
        run = lb.load(make("a", "reals"))
        with torch.no_grad():
            for parameter in (
                *run.model.posterior.parameters(),
                *run.model.likelihood.parameters(),
            ):
                parameter.zero_()
            run.model.likelihood.parts[0].scale.log_scale.fill_(float(np.log(scale)))
        runs.append(replace(run, path=tmp_path / str(scale)))
    data = lb.read(str(runs[0].spec.data["location"]))
    x = (data.test.x - data.schema.mean) / data.schema.scale
    exact = (4 * np.log(2.0) - (x**2).sum(dim=1) * (1 - 1 / 4) / 2).double()
    (found,) = compare_runs(*runs, samples=30).differences
    assert found.log_likelihood.mean == pytest.approx(float(exact.mean()), abs=1e-5)
    error = float(exact.std()) / len(exact) ** 0.5
    assert found.log_likelihood.standard_error == pytest.approx(error, abs=1e-5)
    assert found.log_likelihood.first_better == float((exact > 0).double().mean())


def test_a_longer_training_wins_and_the_best_is_set_against_each(make) -> None:
    short, middle, long = (make(f"e{n}", "reals", n) for n in (1, 20, 60))
    (found,) = compare_runs(short, long, samples=10).differences
    assert found.verdict.startswith(f"{long} is better than {short} by")
    every = compare_runs(short, long, middle, samples=10)
    assert [d.first for d in every.differences] == [str(long)] * 2
    assert every.differences[0].log_likelihood.confidence == pytest.approx(1 - 0.05 / 3)
    assert "Bonferroni over all 3 pairs" in every.correction
    json.dumps(every.to_json(), allow_nan=False)


REFUSED = [
    ("bits", "reals", "the one is a density, of the other a probability"),
    ("reals", "wide", "examples of another size"),
    ("greys", "levels", "probabilities of different things"),
    ("reals", "others", "name what to compare them on with --data"),
]


@pytest.mark.parametrize(("first", "second", "words"), REFUSED)
def test_what_cannot_be_compared_is_refused(make, first: str, second: str, words: str) -> None:
    a, b = make(f"of {first}", first), make(f"of {second}", second)
    with pytest.raises(SettingError, match=words):
        compare_runs(a, b)
    with pytest.raises(SettingError, match=words):
        compare_runs(b, a)


def test_binarised_pictures_are_easier_and_refused(make) -> None:
    with pytest.raises(SettingError, match="binarised or coarser data are easier"):
        compare_runs(make("of greys", "greys"), make("binarised", "greys", binarize=True))


def test_other_units_are_refused_even_on_given_data(make) -> None:
    a, b = make("a", "reals"), make("of millimetres", "millimetres")
    with pytest.raises(SettingError, match="different units: cell 1 spreads over"):
        compare_runs(a, b, data=REALS)


def test_bits_have_no_unit_however_often_they_are_1(make) -> None:
    found = compare_runs(make("of rare bits", "rare bits"), make("of bits", "bits"), data=BITS)
    assert found.differences[0].verdict.startswith(f"{make('of bits', 'bits')} is better than")


def test_one_run_is_not_enough(make) -> None:
    with pytest.raises(SettingError, match="at least two"):
        compare_runs(make("a", "reals"))


def test_what_either_run_was_trained_on_is_left_out(make) -> None:
    """Another split of the same file: only the rows that both held out for the test remain."""
    a, b = make("a", "reals"), make("split again", "reals", split=1)
    first, second = (lb.read(str(lb.load(a).spec.data["location"]), seed=s).test.x for s in (0, 1))
    common = {tuple(row) for row in first.tolist()} & {tuple(row) for row in second.tolist()}
    if len(common) < 5:
        with pytest.raises((SettingError, DataError)):
            compare_runs(a, b)
    found = compare_runs(a, b, data=np.concatenate([REALS, REALS[:50] + 0.5]), samples=5)
    assert found.examples == 50 + len(common)
    assert any("are left out" in note for note in found.notes)
    assert any("trained on different examples" in note for note in found.notes)


def test_data_that_a_run_has_seen_whole_is_refused(make) -> None:
    a = make("a", "reals")
    with pytest.raises(SettingError, match="was in the training or validation part"):
        compare_runs(a, a, data=lb.read(str(lb.load(a).spec.data["location"])).train.x)


def test_the_runs_own_file_is_split_as_it_was(make) -> None:
    a = make("a", "reals")
    place = str(lb.load(a).spec.data["location"])
    for data in (place, lb.read(place)):
        found = compare_runs(a, a, data=data, samples=5)
        assert found.examples == 20 and not any("left out" in note for note in found.notes)


def test_training_data_that_is_gone_is_noted(make, tmp_path: Path) -> None:
    import shutil

    a = Path(shutil.copytree(make("a", "reals"), tmp_path / "gone"))
    directory = RunDirectory(a)
    spec = directory.read_spec()
    directory.write_spec(replace(spec, data={**spec.data, "location": None, "fingerprint": "?"}))
    found = compare_runs(make("a", "reals"), a, data=REALS[:5] + 1, samples=5)
    assert any("may have seen some of these" in note for note in found.notes)
    with pytest.raises(DataError, match="give it with --data"):
        directory.write_spec(replace(spec, data={**spec.data, "location": None}))
        compare_runs(a, make("a", "reals"))


def test_a_bound_that_has_not_converged_is_noted(make) -> None:
    a = make("a", "reals")
    found = compare_runs(a, a, samples=1)
    assert any("one draw cannot show" in note for note in found.notes)


def test_two_encoders_of_one_model_are_not_told_apart():
    """The same p(x), one encoder off by 0.2: its bound alone once made the other "better"."""
    reference = LinearGaussian.random(2, 4)
    x, found = Examples(reference.simulate(2000).x), []
    for shift in (0.0, 0.2):
        model = reference.vae()
        with torch.no_grad():
            model.posterior.network.layers[0].bias[:2] += shift
        found.append(evidence(model, x, 100))
    bounds = paired(found[0].log_likelihood, found[1].log_likelihood)
    assert bounds.settled  # so they are, as bounds
    result = difference("exact", found[0], "shifted", found[1])
    assert not result.log_likelihood.settled
    assert "cannot be told apart" in result.verdict

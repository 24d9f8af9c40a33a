"""A fitted estimator on disk."""

import json

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.errors import OutputError, RunError

rng = np.random.default_rng(0)
REAL = rng.normal(size=(60, 5))
BYTES = rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize("x", [REAL, np.insert(REAL, 0, 3.0, axis=1), BYTES, BYTES > 127])
def test_a_saved_estimator_is_the_same_to_the_bit(x, tmp_path, small) -> None:
    vae = small(latents=3, settings={"hidden": (16, 8), "weight_decay": 0.1}).fit(x)
    vae.save(tmp_path / "run")
    again = lb.AutoVAE.load(tmp_path / "run")
    assert again.get_params() == vae.get_params()
    for method in ("transform", "score_samples", "score", "reconstruct"):
        assert np.array_equal(getattr(again, method)(x), getattr(vae, method)(x)), method
    drawn = again.sample(4, random_state=0)
    assert np.array_equal(drawn, vae.sample(4, random_state=0))
    assert drawn.dtype == vae.sample(4).dtype
    for name in ("schema_", "history_", "n_iter_", "notes_", "n_features_in_"):
        assert getattr(again, name) == getattr(vae, name), name
    assert again.result_.best == vae.result_.best
    again.save(tmp_path / "twice")
    assert np.array_equal(lb.AutoVAE.load(tmp_path / "twice").transform(x), vae.transform(x))
    assert np.array_equal(again.fit(x).transform(x), vae.transform(x))  # and may learn again


def test_a_saved_estimator_is_a_run_like_any_other(fitted, tmp_path) -> None:
    fitted.save(tmp_path / "run")
    run = lb.load(tmp_path / "run")
    assert np.array_equal(fitted.sample(3, random_state=1), lb.generate(run.model, 3, seed=1))
    with pytest.raises(OutputError, match="exists"):
        fitted.save(tmp_path / "run")
    fitted.save(tmp_path / "run", force=True)


def test_parameters_of_other_libraries_are_saved_as_plain_values(tmp_path, small, real) -> None:
    vae = small(
        latents=np.int64(2), random_state=np.random.RandomState(3), device=torch.device("cpu")
    ).fit(real)
    vae.save(tmp_path / "run")
    params = lb.AutoVAE.load(tmp_path / "run").get_params()
    assert (params["latents"], params["device"]) == (2, "cpu")
    assert params["random_state"] == vae.spec_.seed


DAMAGE = [
    {"params": []}, {"params": {}}, {"params": {**lb.AutoVAE().get_params(), "no_such": 1}},
    {"shape": [6]}, {"shape": [1, 5]}, {"shape": [5.0]}, {"shape": "5"}, {"shape": None},
    {"dtype": "O"}, {"dtype": ["f8"]}, {"dtype": None}, {"white": 10**400}, {"white": "1"},
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_a_damaged_run_is_refused(damage, fitted, tmp_path) -> None:
    fitted.save(tmp_path / "run")
    place = tmp_path / "run" / "spec.json"
    spec = json.loads(place.read_text())
    spec["data"]["estimator"].update(damage)
    place.write_text(json.dumps(spec))
    with pytest.raises(RunError, match="damaged"):
        lb.AutoVAE.load(tmp_path / "run")


def test_a_run_without_its_notes_is_refused(fitted, tmp_path) -> None:
    fitted.save(tmp_path / "run")
    place = tmp_path / "run" / "spec.json"
    spec = json.loads(place.read_text())
    del spec["data"]["notes"]
    place.write_text(json.dumps(spec))
    with pytest.raises(RunError, match="damaged"):
        lb.AutoVAE.load(tmp_path / "run")


def test_a_run_of_the_command_line_is_pointed_elsewhere(fitted, tmp_path) -> None:
    fitted.save(tmp_path / "run")
    place = tmp_path / "run" / "spec.json"
    spec = json.loads(place.read_text())
    del spec["data"]["estimator"]
    place.write_text(json.dumps(spec))
    with pytest.raises(RunError, match=r"lowerbound\.load"):
        lb.AutoVAE.load(tmp_path / "run")
    with pytest.raises(RunError, match="does not exist"):
        lb.AutoVAE.load(tmp_path / "nowhere")

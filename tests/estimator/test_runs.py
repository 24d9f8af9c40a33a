"""A fitted estimator on disk."""

import json

import numpy as np
import pytest
import torch
from sklearn.base import clone

import lowerbound as lb
from lowerbound.cli import main
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


TINY = ["--epochs", "2", "--latents", "2", "--set", "hidden=8", "--no-report", "--quiet"]


@pytest.mark.parametrize(
    "x",
    [REAL, np.insert(REAL, 0, 3.0, axis=1), BYTES, BYTES > 127, np.stack([BYTES] * 3, axis=-1)],
    ids=["real", "with a constant", "grey", "binary", "colour"],
)
def test_a_run_of_the_command_line_is_an_estimator_like_any_other(x, tmp_path) -> None:
    np.save(tmp_path / "x.npy", x)
    run = str(tmp_path / "run")
    assert main(["fit", str(tmp_path / "x.npy"), "--out", run, *TINY]) == 0
    vae = lb.AutoVAE.load(run)
    loaded = lb.load(run)
    assert vae.get_params()["model"] == "auto" and vae.get_params()["latents"] == 2
    assert vae.n_iter_ == 2 and vae.result_.stopped == "epochs"
    assert vae.sample(3, random_state=0).shape == (3, *x.shape[1:])
    assert vae.reconstruct(x).shape == x.shape
    examples, _ = lb.data.read_examples(x, loaded.schema)
    z = lb.encode(loaded.model.double(), examples).mean.numpy()
    np.testing.assert_allclose(vae.transform(x), z, rtol=1e-4, atol=1e-6)
    vae.save(tmp_path / "again")
    assert np.array_equal(lb.AutoVAE.load(tmp_path / "again").transform(x), vae.transform(x))
    assert clone(vae).fit(x).spec_.settings == vae.spec_.settings  # the same choices, anew


def test_a_table_of_the_command_line_keeps_its_names_and_scores(tmp_path) -> None:
    text = "\n".join(",".join(map(str, row)) for row in REAL.tolist())
    (tmp_path / "t.csv").write_text(f"a,b,c,d,e\n{text}\n")
    run, out = str(tmp_path / "run"), str(tmp_path / "scores.csv")
    assert main(["fit", str(tmp_path / "t.csv"), "--out", run, *TINY]) == 0
    assert main(["score", run, str(tmp_path / "t.csv"), "--out", out]) == 0
    vae = lb.AutoVAE.load(run)
    assert list(vae.feature_names_in_) == ["a", "b", "c", "d", "e"]
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = vae.score_samples(REAL)
    assert np.array_equal(found, np.loadtxt(out, delimiter=",", skiprows=1)[:, 2])


def test_a_run_that_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        lb.AutoVAE.load(tmp_path / "nowhere")


COMMANDS = [
    ["generate", "RUN", "--count", "4", "--out", "OUT.npy"],
    ["encode", "RUN", "X", "--out", "OUT.npy"],
    ["reconstruct", "RUN", "X", "--out", "OUT.npy"],
    ["interpolate", "RUN", "X", "--out", "OUT.npy"],
    ["traverse", "RUN", "--units", "0", "--out", "OUT.npy"],
    ["score", "RUN", "X", "--out", "OUT.csv"],
    ["evaluate", "RUN", "--data", "X", "--samples", "5"],
    ["compare", "RUN", "RUN", "--data", "OTHER", "--samples", "5"],
    ["doctor", "RUN"],
    ["report", "RUN", "--samples", "5"],
    ["fit", "--resume", "RUN"],
    ["fit", "X", "--from", "RUN", "--out", "OUT", "--epochs", "1", "--no-report"],
]


@pytest.mark.parametrize("x", [REAL, BYTES], ids=["real", "grey"])
def test_every_command_takes_what_an_estimator_saved(x, tmp_path, small) -> None:
    small(latents=2).fit(x).save(tmp_path / "run")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "other.npy", x[::-1] + 1 if x.ndim == 2 else 255 - x)
    places = {"RUN": "run", "X": "x.npy", "OTHER": "other.npy"}
    for number, command in enumerate(COMMANDS):
        words = [word.replace("OUT", f"out{number}") for word in command]
        words = [places.get(word, word) for word in words]
        words = [
            str(tmp_path / word) if word.startswith(("out", "run", "x.", "other.")) else word
            for word in words
        ]
        assert main(words) == 0, command

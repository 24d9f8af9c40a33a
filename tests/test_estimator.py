"""`AutoVAE` where people meet it: scikit-learn's own checks, then what it adds to them."""

import json
from copy import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

import lowerbound as lb
from lowerbound import estimator
from lowerbound.errors import DataError, OutputError, RunError, SettingError, UnknownNameError
from lowerbound.evaluation import evidence

# What of `check_estimator` is not passed, by the check's name, with the reason: nothing.
EXPECTED_FAILURES: dict[str, str] = {}

SMALL = {"hidden": (32,)}
rng = np.random.default_rng(0)
REAL = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 5)) * [1, 10, 100, 1, 1] + [0, 0, 500, 0, 0]
BYTES = rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)
COLOUR = rng.integers(0, 256, (30, 6, 5, 3)).astype(np.uint8)


def small(**params) -> lb.AutoVAE:
    return lb.AutoVAE(**{"epochs": 2, "settings": SMALL, "random_state": 0, "samples": 5, **params})


@pytest.fixture(scope="module")
def fitted() -> lb.AutoVAE:
    return small(latents=2).fit(REAL)


def low_rank(count: int) -> np.ndarray:
    """Three factors, ten columns of different units, noise a tenth of each column's unit."""
    generator = np.random.default_rng(1)
    factors = generator.normal(size=(3, 10))
    noise = np.random.default_rng(count).normal(size=(count, 13))
    x = noise[:, :3] @ factors + 0.1 * noise[:, 3:]
    return x * np.logspace(-1, 2, 10) + np.arange(10.0)


@pytest.fixture(scope="module")
def learned() -> lb.AutoVAE:
    vae = lb.AutoVAE(latents=3, epochs=40, batch_size=32, learning_rate=3e-3, random_state=0)
    return vae.set_params(settings={"hidden": (64,)}).fit(low_rank(1000))


# --- scikit-learn's own checks


@parametrize_with_checks(
    [lb.AutoVAE(epochs=2)], expected_failed_checks=lambda each: EXPECTED_FAILURES
)
@pytest.mark.filterwarnings("ignore")  # the checks warn of what they are about to do
def test_check_estimator(estimator, check) -> None:
    check(estimator)


# --- what is learned


def test_reconstructions_of_new_low_rank_data_are_as_close_as_its_noise(learned) -> None:
    x = low_rank(500)
    error = learned.inverse_transform(learned.transform(x)) - x
    noise = 0.1 * np.logspace(-1, 2, 10)  # its standard deviation in each column
    assert (np.sqrt((error**2).mean(axis=0)) < 2 * noise).all()
    assert (x.std(axis=0) > 3 * noise).all()  # the error of a model that learned nothing


def test_shuffled_columns_are_less_likely_by_many_standard_errors(learned) -> None:
    x = low_rank(300)
    shuffled = np.column_stack([np.random.default_rng(i).permutation(c) for i, c in enumerate(x.T)])
    gain = learned.score_samples(x) - learned.score_samples(shuffled)
    assert gain.mean() > 4.9 * gain.std() / np.sqrt(len(x))
    assert gain.mean() > 5


def test_samples_have_the_mean_and_covariance_of_the_data(learned) -> None:
    x, drawn = low_rank(1000), learned.sample(4000, random_state=0)
    scale = x.std(axis=0)
    assert np.abs((drawn.mean(axis=0) - x.mean(axis=0)) / scale).max() < 0.2
    difference = np.cov((drawn / scale).T) - np.cov((x / scale).T)
    assert np.abs(difference).max() < 0.25
    independent = np.eye(10) - np.cov((x / scale).T)
    assert np.abs(independent).max() > 0.5  # samples without the correlations would be seen


def test_best_epoch_is_kept_and_history_is_whole(learned) -> None:
    assert learned.n_iter_ == len(learned.history_) == 40
    best = max(learned.history_, key=lambda epoch: epoch.held_out.bound)
    assert learned.result_.best == best


# --- shapes, types and units


def test_shapes_of_vectors(fitted) -> None:
    z = fitted.transform(REAL)
    assert z.shape == (60, 2)
    assert z.dtype == np.float64
    assert fitted.inverse_transform(z).shape == fitted.reconstruct(REAL).shape == (60, 5)
    assert np.array_equal(fitted.reconstruct(REAL), fitted.inverse_transform(z))
    assert fitted.sample(7).shape == (7, 5)
    assert fitted.sample().shape == (1, 5)
    assert fitted.score_samples(REAL).shape == (60,)
    assert fitted.score(REAL) == fitted.score_samples(REAL).mean()
    assert fitted.n_features_in_ == 5
    assert list(fitted.get_feature_names_out()) == ["autovae0", "autovae1"]


@pytest.mark.parametrize("shape", [(8, 8), (6, 9, 1), (6, 9, 3), (3, 6, 9), (1, 7, 5)])
def test_bytes_keep_their_shape_and_a_discrete_likelihood(shape) -> None:
    x = rng.integers(0, 256, (30, *shape)).astype(np.uint8)
    vae = small().fit(x)
    assert vae.schema_.kind == "8-bit"
    assert vae.model_.likelihood.is_discrete
    assert vae.n_features_in_ == np.prod(shape)
    z = vae.transform(x)
    assert vae.inverse_transform(z).shape == vae.reconstruct(x).shape == x.shape
    drawn = vae.sample(3)
    assert drawn.shape == (3, *shape)
    assert drawn.dtype == np.uint8
    assert (vae.score_samples(x) < 0).all()  # log-probabilities


@pytest.mark.parametrize(
    "x", [BYTES, COLOUR, COLOUR[..., :1], COLOUR.transpose(0, 3, 1, 2), COLOUR > 99, COLOUR / 9,
          np.where(BYTES > 127, 255, 0).astype(np.uint8), np.insert(REAL, [0, 3], 7.0, axis=1)]
)  # fmt: skip
def test_what_the_model_gives_comes_back_to_its_place(x, monkeypatch) -> None:
    """A decoder that reproduced the stored example would reproduce X, cell by cell."""
    vae = small(epochs=1).fit(x)
    stored = lb.data.read_examples(x, vae.schema_)[0].x
    monkeypatch.setattr(estimator, "decode", lambda model, z: stored)
    np.testing.assert_allclose(vae.reconstruct(x), x, rtol=1e-6)


def test_black_and_white_images_come_back_black_and_white() -> None:
    x = np.where(BYTES > 127, 255, 0).astype(np.uint8)
    vae = small().fit(x)
    assert vae.schema_.kind == "binary"
    assert set(np.unique(vae.sample(5))) == {0, 255}
    means = vae.reconstruct(x)
    assert 1 < means.mean() < 255
    assert means.max() <= 255


@pytest.mark.parametrize(
    ("x", "kind", "dtype"),
    [
        (rng.random((40, 6)) > 0.5, "binary", bool),
        ((rng.random((40, 6)) > 0.5).astype(float), "binary", np.float64),
        (rng.integers(0, 256, (40, 6)).astype(np.uint8), "8-bit", np.uint8),
        (rng.integers(-5, 5, (40, 6)), "real", np.float64),
        (rng.random((40, 6, 6)), "real", np.float32),
        (rng.integers(0, 256, (40, 6, 6)) / 255, "real", np.float32),
        (rng.normal(size=(40, 6)).astype(object), "real", np.float64),
        (rng.normal(size=(40, 6)).tolist(), "real", np.float64),
        (torch.randn(40, 6, requires_grad=True), "real", np.float32),
        (torch.randn(40, 6, dtype=torch.bfloat16), "real", np.float32),
    ],
)
def test_what_a_person_has_is_taken_for_what_it_is(x, kind, dtype) -> None:
    vae = small().fit(x)
    assert vae.schema_.kind == kind
    assert vae.sample(2).dtype == dtype
    assert vae.reconstruct(x).shape == np.shape(x)
    assert np.isfinite(vae.score(x))


def test_columns_that_never_vary_are_put_back() -> None:
    x = np.insert(REAL, 2, 7.0, axis=1)
    vae = small().fit(x)
    assert vae.schema_.dimensions == 5
    assert vae.n_features_in_ == 6
    for back in (vae.reconstruct(x), vae.sample(4), vae.inverse_transform(vae.transform(x))):
        assert (back[:, 2] == 7).all()
        assert back.shape[1] == 6
    odd = x[:3].copy()
    odd[0, 2] = 8
    with pytest.warns(UserWarning, match="1 example differing in 'column 3'"):
        assert (vae.score_samples(odd) == vae.score_samples(x[:3])).all()


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_names_of_a_table_are_kept_checked_and_saved(library, tmp_path) -> None:
    module = pytest.importorskip(library)
    make = module.DataFrame if library == "pandas" else module.table
    columns = {**dict(zip("abcde", REAL.T, strict=True)), "f": np.ones(60)}
    vae = small().fit(make(columns))
    vae.save(tmp_path / "run")
    for each in (vae, lb.AutoVAE.load(tmp_path / "run")):
        assert list(each.feature_names_in_) == list("abcdef")
        assert each.schema_.columns == tuple("abcdef")
        assert np.array_equal(each.transform(make(columns)), vae.transform(make(columns)))
        with pytest.raises(ValueError, match="same order"):
            each.transform(make(dict(reversed(columns.items()))))


# --- the same question, the same answer


def test_a_row_never_sees_another(fitted) -> None:
    z, scores = fitted.transform(REAL), fitted.score_samples(REAL)
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(fitted.score_samples(REAL[order]), scores[order])
    assert np.array_equal(fitted.score_samples(REAL[5:6]), scores[5:6])
    few = np.concatenate([fitted.transform(REAL[i : i + 3]) for i in range(0, 60, 3)])
    np.testing.assert_allclose(few, z, rtol=1e-12)


def test_equal_rows_have_equal_scores_and_others_their_own_noise(fitted) -> None:
    x = REAL[[0, 0]].copy()
    x[:, 0] = 0.0, -0.0
    assert len(set(fitted.score_samples(x))) == 1
    seeds = estimator._noise_seeds(torch.from_numpy(REAL), 0)
    assert len(set(seeds)) == 60
    assert not set(seeds) & set(estimator._noise_seeds(torch.from_numpy(REAL), 1))


def test_scores_are_the_importance_weighted_bound(learned) -> None:
    """Against `evidence` under other noise; a missing constant would move it by far more."""
    x = low_rank(200)
    bound = evidence(learned.model_, lb.data.Examples(torch.from_numpy(x)), 100, seed=1)
    difference = learned.score_samples(x) - bound.log_likelihood.numpy()
    error = difference.std() / np.sqrt(len(x))
    assert error < 0.05
    assert abs(difference.mean()) < 4.9 * error
    odd = x + x.std(axis=0)  # where q(z|x) is a poor guess, draws help: it is not the ELBO
    gain = learned.score_samples(odd) - copy(learned).set_params(samples=1).score_samples(odd)
    assert gain.mean() > 4.9 * gain.std() / np.sqrt(len(x))


def test_random_state_decides_everything(fitted) -> None:
    again = small(latents=2).fit(REAL)
    assert np.array_equal(again.score_samples(REAL), fitted.score_samples(REAL))
    assert np.array_equal(again.sample(9, random_state=3), fitted.sample(9, random_state=3))
    other = small(latents=2, random_state=1).fit(REAL)
    assert not np.array_equal(other.transform(REAL), fitted.transform(REAL))
    assert not np.array_equal(fitted.sample(9), fitted.sample(9))
    drawing = small(random_state=np.random.RandomState(0), epochs=1)
    assert drawing.fit(REAL).spec_.seed != drawing.fit(REAL).spec_.seed


def test_the_callers_random_state_is_untouched(tmp_path) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), np.random.get_state()[2]
    for seed in (None, 0):
        vae = small(random_state=seed).fit(REAL)
        vae.score(REAL), vae.reconstruct(REAL)
        vae.sample(2, random_state=seed)
        vae.save(tmp_path / str(seed))
        lb.AutoVAE.load(tmp_path / str(seed))
    after = torch.get_rng_state(), np.random.get_state()[1], np.random.get_state()[2]
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2]


def test_x_is_not_written_to_and_may_be_read_only(fitted) -> None:
    x = REAL.copy()
    x.flags.writeable = False
    fitted.score(x)
    clone(fitted).fit(x).transform(x)
    assert np.array_equal(x, REAL)


# --- the rest of scikit-learn


def test_pipeline_and_grid_search() -> None:
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(pipeline, {"autovae__latents": np.array([1, 2])}, cv=2).fit(REAL)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(REAL).shape == (60, search.best_params_["autovae__latents"])
    assert search.inverse_transform(search.transform(REAL)).shape == REAL.shape


def test_settings_reach_the_model_and_the_training() -> None:
    vae = small(
        model="beta-vae",
        latents=np.int64(3),
        batch_size=7,
        learning_rate=np.float32(0.5),
        settings={"beta": 2.0, "hidden": (9, 8), "scale": "shared"},
    ).fit(REAL)
    assert vae.spec_.recipe == "beta-vae"
    chosen = {**vae.spec_.settings, **vae.spec_.training}
    expected = {"beta": 2.0, "hidden": [9, 8], "scale": "shared", "latents": 3, "batch_size": 7}
    assert expected.items() <= chosen.items()
    assert chosen["learning_rate"] == 0.5
    assert small(likelihood="categorical").fit(REAL > 0).model_.likelihood.name == "categorical"


def test_all_of_x_is_learned_from_or_judged_by() -> None:
    for count, validation in ((10, 2), (30, 7), (40, 10), (100, 10), (300, 30)):
        x = np.random.default_rng(0).normal(size=(count, 2))
        counts = small(epochs=1).fit(x).spec_.data["split"]["counts"]
        assert counts == {"train": count - validation, "validation": validation, "test": 0}


def test_identical_rows_are_on_one_side() -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    few = estimator._split(np.repeat(x, 5, axis=0), 0)  # each group of 5 fits in 10
    assert len(few[0]) == 50
    assert len(few[1]) == 10
    assert not set(few[0] // 5) & set(few[1] // 5)
    huge = estimator._split(np.repeat(x[:10], 6000, axis=0)[1:], 0)  # none fits in 5000
    assert len(huge[1]) == 5999


def test_verbose_reports_every_epoch(capsys) -> None:
    small(verbose=1).fit(REAL)
    said = capsys.readouterr().err
    assert [line.split(":")[0] for line in said.splitlines()] == ["epoch 1", "epoch 2"]


# --- on disk


@pytest.mark.parametrize("x", [REAL, np.insert(REAL, 0, 3.0, axis=1), BYTES, BYTES > 127])
def test_a_saved_estimator_is_the_same_to_the_bit(x, tmp_path) -> None:
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


def test_parameters_of_other_libraries_are_saved_as_plain_values(tmp_path) -> None:
    vae = small(
        latents=np.int64(2), random_state=np.random.RandomState(3), device=torch.device("cpu")
    ).fit(REAL)
    vae.save(tmp_path / "run")
    params = lb.AutoVAE.load(tmp_path / "run").get_params()
    assert (params["latents"], params["device"]) == (2, "cpu")
    assert params["random_state"] == vae.spec_.seed


DAMAGE = [
    {"params": []}, {"params": {}}, {"params": {**small().get_params(), "no_such": 1}},
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


# --- refusals


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score", "score_samples", "sample"]
)
def test_unfitted_it_says_so(method) -> None:
    with pytest.raises(NotFittedError):
        getattr(small(), method)(*[] if method == "sample" else [REAL])
    for use in (small().get_feature_names_out, lambda: small().save("nowhere")):
        with pytest.raises(NotFittedError):
            use()


def test_after_a_failed_fit_it_is_not_fitted() -> None:
    vae = small()
    with pytest.raises(DataError):
        vae.fit(REAL[:5])
    with pytest.raises(NotFittedError):
        check_is_fitted(vae)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (REAL[:3], "n_samples = 3, of which 3 distinct"),
        (np.ones((50, 3)), "50, of which 1 distinct"),
        (REAL[:, 0], "1D array"),
        (np.array([["a", "b"]] * 20), "string|numeric"),
        ([["a", {}]] * 20, "string"),
        ([[1.0, None]] * 20, "NaN"),
        ([[1.0, 2.0], [3.0]] * 10, "inhomogeneous"),
        ("data.csv", r"lowerbound\.read"),
        (b"data.csv", r"lowerbound\.read"),
        (None, "array"),
        (np.where(REAL > 0, np.nan, REAL), "NaN"),
        (np.where(REAL[:, None] > 0, np.inf, REAL[:, None]), "infinity"),
        (REAL * 1e300, "too large"),
        (REAL.astype(complex), "[Cc]omplex"),
        (np.empty((0, 3)), "0 sample"),
        (np.zeros((20, 2, 3, 4, 5)), "axes|shape|dim"),
        (rng.random((20, 6, 6, 2)), "C 1, 3 or 4"),
        (rng.random((20, 6, 6, 4)), "alpha"),
    ],
)
def test_x_that_cannot_be_learned_is_refused_with_the_reason(x, words) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        small().fit(x)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (REAL[:, :4], "X has 4 features, but AutoVAE is expecting 5 features"),
        (REAL.reshape(60, 5, 1), "vectors of 5, got 1x5x1 images"),
        (np.full((2, 5), np.nan), "NaN"),
    ],
)
def test_other_x_than_at_fit_is_refused(x, words, fitted) -> None:
    for method in (fitted.transform, fitted.score_samples, fitted.reconstruct):
        with pytest.raises(ValueError, match=words):
            method(x)


def test_other_images_than_at_fit_are_refused() -> None:
    vae = small().fit(BYTES)
    for x, words in (
        (BYTES[:, :4], "1x8x8 images, got 1x4x8"),
        (BYTES.reshape(40, 64), "1x8x8 images, got 64 columns"),
        (BYTES / 255, "multiply by 255"),
    ):
        with pytest.raises(DataError, match=words):
            vae.transform(x)


@pytest.mark.parametrize(
    "z", [np.zeros((3, 3)), np.zeros(2), np.full((3, 2), np.nan), [["a", "b"]]]
)
def test_latents_that_cannot_be_decoded_are_refused(z, fitted) -> None:
    with pytest.raises(ValueError, match=r"latents|1D array|NaN|string"):
        fitted.inverse_transform(z)


def test_impossible_arguments_are_refused_when_they_are_used() -> None:
    for params, error, words in (
        ({"model": "beta-vea"}, UnknownNameError, "did you mean 'beta-vae'"),
        ({"settings": {"hiden": (3,)}}, UnknownNameError, "did you mean 'hidden'"),
        ({"settings": [("hidden", 3)]}, SettingError, "dictionary"),
        ({"latents": 2, "settings": {"latents": 3}}, SettingError, "given twice"),
        ({"latents": 0}, SettingError, "latents"),
        ({"epochs": 1.5}, SettingError, "whole number"),
        ({"likelihood": "bernoulli"}, SettingError, "does not fit real vectors"),
        ({"random_state": "x"}, ValueError, "seed"),
        ({"random_state": -1}, SettingError, "seed"),
    ):
        vae = small(**params)  # says nothing yet
        with pytest.raises(error, match=words):
            vae.fit(REAL)
    with pytest.raises(SettingError, match="samples"):
        small(samples=0).fit(REAL).score(REAL)
    for count in (0, 1.5, True):
        with pytest.raises(SettingError, match="at least 1"):
            small().fit(REAL).sample(count)

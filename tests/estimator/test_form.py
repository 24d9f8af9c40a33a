"""Shapes, types and units: what the model gives is in the form of X."""

import numpy as np
import pytest
import torch

import lowerbound as lb

rng = np.random.default_rng(0)
REAL = rng.normal(size=(60, 5))
BYTES = rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)
COLOUR = rng.integers(0, 256, (30, 6, 5, 3)).astype(np.uint8)


def test_shapes_of_vectors(fitted, real) -> None:
    z = fitted.transform(real)
    assert z.shape == (60, 2)
    assert z.dtype == np.float64
    assert fitted.inverse_transform(z).shape == fitted.reconstruct(real).shape == (60, 5)
    assert np.array_equal(fitted.reconstruct(real), fitted.inverse_transform(z))
    assert fitted.sample(7).shape == (7, 5)
    assert fitted.sample().shape == (1, 5)
    assert fitted.score_samples(real).shape == (60,)
    assert fitted.score(real) == fitted.score_samples(real).mean()
    assert fitted.n_features_in_ == 5
    assert list(fitted.get_feature_names_out()) == ["autovae0", "autovae1"]


@pytest.mark.parametrize("shape", [(8, 8), (6, 9, 1), (6, 9, 3), (3, 6, 9), (1, 7, 5)])
def test_bytes_keep_their_shape_and_a_discrete_likelihood(shape, small) -> None:
    x = rng.integers(0, 256, (30, *shape)).astype(np.uint8)
    vae = small().fit(x)
    assert vae.schema_.kind == "ordinal"
    assert vae.schema_.is_discrete
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
def test_what_the_model_gives_comes_back_to_its_place(x, monkeypatch, small) -> None:
    """A decoder that reproduced the stored example would reproduce X, cell by cell."""
    vae = small(epochs=1).fit(x)
    stored = lb.data.read_examples(x, vae.schema_)[0].x
    monkeypatch.setattr(lb.estimator.auto_vae, "decode", lambda model, z: stored)
    np.testing.assert_allclose(vae.reconstruct(x), x, rtol=1e-6)


def test_black_and_white_images_come_back_black_and_white(small) -> None:
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
        (rng.integers(0, 256, (40, 6)).astype(np.uint8), "ordinal", np.uint8),
        (rng.integers(-5, 5, (40, 6)), "real", np.float64),
        (rng.random((40, 6, 6)), "real", np.float32),
        (rng.integers(0, 256, (40, 6, 6)) / 255, "real", np.float32),
        (rng.normal(size=(40, 6)).astype(object), "real", np.float64),
        (rng.normal(size=(40, 6)).tolist(), "real", np.float64),
        (torch.randn(40, 6, requires_grad=True), "real", np.float32),
        (torch.randn(40, 6, dtype=torch.bfloat16), "real", np.float32),
    ],
)
def test_what_a_person_has_is_taken_for_what_it_is(x, kind, dtype, small) -> None:
    vae = small().fit(x)
    assert vae.schema_.kind == kind
    assert vae.sample(2).dtype == dtype
    assert vae.reconstruct(x).shape == np.shape(x)
    assert np.isfinite(vae.score(x))


def test_columns_that_never_vary_are_put_back(small, real) -> None:
    x = np.insert(real, 2, 7.0, axis=1)
    vae = small().fit(x)
    assert vae.schema_.dimensions == 5
    assert vae.n_features_in_ == 6
    for back in (vae.reconstruct(x), vae.sample(4), vae.inverse_transform(vae.transform(x))):
        assert (back[:, 2] == 7).all()
        assert back.shape[1] == 6
    odd = x[:3].copy()
    odd[0, 2] = 8
    with pytest.warns(UserWarning, match="1 example differing in 'column 3'"):
        less = vae.score_samples(x[:3]) - vae.score_samples(odd)
    assert less == pytest.approx([np.log(len(x) + 1), 0, 0])


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_names_of_a_table_are_kept_checked_and_saved(library, tmp_path, small, real) -> None:
    module = pytest.importorskip(library)
    make = module.DataFrame if library == "pandas" else module.table
    columns = {**dict(zip("abcde", real.T, strict=True)), "f": np.ones(60)}
    vae = small().fit(make(columns))
    vae.save(tmp_path / "run")
    for each in (vae, lb.AutoVAE.load(tmp_path / "run")):
        assert list(each.feature_names_in_) == list("abcdef")
        assert each.schema_.columns == tuple("abcdef")
        assert np.array_equal(each.transform(make(columns)), vae.transform(make(columns)))
        with pytest.raises(ValueError, match="same order"):
            each.transform(make(dict(reversed(columns.items()))))

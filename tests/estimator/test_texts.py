"""AutoVAE on texts and series."""

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.errors import DataError, SupportError

TEXTS = [f"{a} {b}" for a in ("red", "green", "blue", "grey") for b in ("hat", "coat", "shoe")]
SMALL = {"hidden": 8, "embedding": 4}


@pytest.fixture(scope="module")
def vae():
    return lb.AutoVAE(latents=2, epochs=1, settings=SMALL, random_state=0).fit(TEXTS)


def test_texts_come_out_as_texts(vae):
    assert vae.transform(["red hat", "grey coat"]).shape == (2, 2)
    for texts in (vae.sample(3, random_state=0), vae.reconstruct(TEXTS[:3])):
        assert texts.shape == (3,)
        assert all(isinstance(text, str) for text in texts)
    assert vae.score_samples(np.array(TEXTS)).shape == (12,)


def test_a_column_of_a_data_frame_is_a_list_of_texts(vae):
    pandas = pytest.importorskip("pandas")
    assert np.array_equal(vae.transform(pandas.Series(TEXTS)), vae.transform(TEXTS))


def test_odd_texts_are_detected():
    # "Sequence has dependent cells", for cells that nobody had asked for
    settings = {"epochs": 1, "samples": 3, "folds": 1, "random_state": 0, "settings": SMALL}
    detector = lb.VAEDetector(**settings).fit(TEXTS)
    assert set(detector.predict([*TEXTS[:2], "\u6f22" * 5])) <= {-1, 1}
    with pytest.raises(SupportError, match="dependent cells"):
        detector.cells(TEXTS)


def test_a_model_of_texts_is_saved_and_loaded(vae, tmp_path):
    vae.save(tmp_path / "run")
    again = lb.AutoVAE.load(tmp_path / "run")
    assert np.array_equal(again.transform(TEXTS), vae.transform(TEXTS))
    assert again.sample(2, random_state=1).tolist() == vae.sample(2, random_state=1).tolist()


def test_texts_for_a_model_of_numbers_are_refused_and_the_other_way_round(vae):
    with pytest.raises((DataError, ValueError)):
        vae.transform(np.zeros((3, 9)))


def test_series_come_out_as_series():
    generator = np.random.default_rng(0)
    x = np.sin(np.arange(16)[:, None] / 2 + generator.uniform(0, 6, (40, 1, 2)))
    x += 0.1 * generator.normal(size=x.shape)
    vae = lb.AutoVAE(latents=2, epochs=1, settings={"channels": 4}, random_state=0).fit(x)
    assert vae.transform(x[:3]).shape == (3, 2)
    assert vae.sample(5, random_state=0).shape == (5, 16, 2)
    assert vae.reconstruct(x[:3]).shape == (3, 16, 2)
    assert vae.score_samples(x).shape == (40,)
    with pytest.raises(ValueError, match=r"series|shape|axes"):
        vae.transform(x[:, :, :1])

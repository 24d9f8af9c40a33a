"""Data frames with words, dates and gaps: into the estimators, and back as they came."""

import numpy as np
import pytest

import lowerbound as lb

TINY = {"latents": 2, "epochs": 2, "random_state": 0, "settings": {"hidden": (8,)}}
rng = np.random.default_rng(0)
N = 90
WORDS = {
    "n": rng.integers(0, 40, N), "town": rng.choice(["Bern", "Chur", "Thun"], N),
    "x": rng.normal(size=N),
}  # fmt: skip


def frame():
    pd = pytest.importorskip("pandas")
    made = pd.DataFrame(
        {
            "n": pd.array(WORDS["n"], dtype="Int64"), "town": pd.Categorical(WORDS["town"]),
            "when": pd.date_range("2024-01-01", periods=N, freq="h", tz="Europe/Zurich"),
            "x": WORDS["x"].astype("f4"), "ok": pd.array(rng.random(N) > 0.5, dtype="boolean"),
        },
        index=np.arange(N) + 7,
    )  # fmt: skip
    made.loc[made.index[::8], ["n", "town"]] = [pd.NA, None]
    return made


def test_an_estimator_gives_a_frame_back_with_its_types_and_index(tmp_path):
    X = frame()
    vae = lb.AutoVAE(**TINY).fit(X)
    assert vae.transform(X).shape == (N, 2) and np.isfinite(vae.score_samples(X)).all()
    drawn, back = vae.sample(5, random_state=1), vae.reconstruct(X.tail(3))
    assert drawn.dtypes.equals(X.dtypes)
    assert back.dtypes.drop("n").equals(X.dtypes.drop("n")) and back["n"].dtype == float  # a mean
    assert back.index.equals(X.tail(3).index)
    assert set(drawn["town"]) <= {"Bern", "Chur", "Thun"}
    vae.save(tmp_path / "run")
    again = lb.AutoVAE.load(tmp_path / "run")
    assert list(again.feature_names_in_) == list(X) and again.n_features_in_ == 5
    assert again.sample(5, random_state=1)["town"].tolist() == drawn["town"].tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        vae.transform(X.drop(columns="x"))


def test_rows_of_a_frame_that_do_not_fit_are_found():
    X = frame()
    detector = lb.VAEDetector(**TINY, samples=20, folds=1).fit(X)
    odd = X.head(2).copy()
    odd.iloc[1, odd.columns.get_loc("x")] = 1e4
    scores = detector.score_samples(odd)
    assert detector.predict(odd)[1] == -1 and scores[1] < scores[0]
    assert detector.score_samples(odd.tail(1)) == scores[1:]


@pytest.mark.parametrize("library", ["polars", "pyarrow", "dict"])
def test_frames_of_other_libraries_come_back_as_such(library):
    name = {"polars": "DataFrame", "pyarrow": "table"}.get(library)
    X = dict(WORDS) if name is None else getattr(pytest.importorskip(library), name)(WORDS)
    vae = lb.AutoVAE(**TINY).fit(X)
    drawn = vae.sample(4)
    assert type(drawn) is type(X)
    if name is None:
        assert drawn["n"].dtype.kind == "i"
    else:
        assert drawn.schema == X.schema
    assert np.isfinite(lb.VAEDetector(**TINY, samples=20, folds=1).fit(X).score_samples(X)).all()


def test_a_frame_of_numbers_with_gaps_is_taken_and_one_without_stays_an_array():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    assert isinstance(lb.AutoVAE(**TINY).fit(X).sample(2), np.ndarray)
    X.iloc[4, 1] = np.nan
    assert isinstance(lb.AutoVAE(**TINY).fit(X).sample(2), pd.DataFrame)


def test_an_array_of_words_is_a_list_of_texts():
    texts = [f"word {i} and {i % 7}" for i in range(40)]
    assert lb.read(np.array(texts)).schema == lb.read(texts).schema

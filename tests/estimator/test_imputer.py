"""`VAEImputer`: scikit-learn's checks, data frames, and rows that say what is missing."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import lowerbound as lb
from lowerbound.estimator.training import assembled

TINY = {"epochs": 2, "settings": {"hidden": (8,)}, "samples": 20, "random_state": 0}
EXPECTED_FAILURES: dict[str, str] = {}


@parametrize_with_checks(
    [lb.VAEImputer(latents=2, epochs=2, samples=20, settings={"hidden": (8,)})],
    expected_failed_checks=lambda each: EXPECTED_FAILURES,
)
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(estimator, check) -> None:
    check(estimator)


@pytest.fixture
def holes() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(80, 1)) @ np.array([[1.0, -2.0, 5.0]])
    x += np.random.default_rng(1).normal(size=x.shape) * 0.1 + [0, 100, 0]
    x[::5, 0] = x[::7, 2] = np.nan
    return x


def test_gaps_are_filled_from_the_rest_of_the_row(holes):
    settings = {"hidden": (16,), "learning_rate": 0.02, "dropout": 0.0}
    learning = {"latents": 1, "epochs": 40, "samples": 100, "settings": settings}
    imputer = lb.VAEImputer(**learning, random_state=0).fit(holes)
    whole = imputer.transform(holes)
    seen = ~np.isnan(holes)
    assert np.array_equal(whole[seen], holes[seen]) and np.isfinite(whole).all()
    truth = -(holes[:, 1] - 100) / 2
    rows = ~seen[:, 0]
    assert np.abs(whole[rows, 0] - truth[rows]).mean() < 0.5 * np.abs(truth[rows]).mean()


def test_few_rows_are_learned_for_longer_unless_settings_say_otherwise(holes):
    def chosen(rows, **given):
        imputer = lb.VAEImputer(random_state=0, **given)
        data = imputer._data(np.tile(holes, (rows // 80, 1)) + np.arange(rows)[:, None], 0)
        made = assembled(imputer._careful(data), data, 0)
        return made.settings["samples"], made.settings["network.hidden"], made.training.epochs

    assert chosen(80) == (20, [128, 128], 1000)  # twice 500, of 5 updates each
    assert chosen(80, epochs=3, settings={"hidden": (8,)}) == (20, [8], 3)
    assert chosen(4000)[:2] == (4, [256, 256])


def test_it_stands_in_a_pipeline(holes):
    out = make_pipeline(lb.VAEImputer(**TINY), StandardScaler()).fit_transform(holes)
    assert out.shape == holes.shape and np.isfinite(out).all()


def test_draws_differ_between_calls_and_repeat_under_a_seed(holes):
    drawn = lb.VAEImputer(**TINY, sample_posterior=True, models=2).fit(holes)
    assert np.array_equal(drawn.transform(holes), drawn.transform(holes))
    drawn.random_state = None
    first, second = drawn.transform(holes), drawn.transform(holes)
    assert not np.array_equal(first, second)
    with pytest.raises(lb.LowerboundError, match="models must be"):
        lb.VAEImputer(**TINY, models=0).fit(holes)


def test_frames_come_back_as_frames_with_their_types(holes):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": holes[:, 0], "n": pd.array(rng.poisson(3, 80), dtype="Int64"),
            "town": pd.Categorical(rng.choice(["Bern", "Chur"], 80)),
        },
        index=np.arange(80) + 7,
    )  # fmt: skip
    frame.loc[frame.index[3], ["n", "town"]] = [pd.NA, None]
    out = lb.VAEImputer(**TINY).fit(frame).transform(frame)
    assert list(out.dtypes) == list(frame.dtypes) and out.index.equals(frame.index)
    assert not out.isna().any().any()
    assert (out[frame.notna()] == frame[frame.notna()])[frame.notna()].all().all()


def test_tables_of_arrow_and_dictionaries_do(holes):
    import pyarrow as pa

    columns = {
        "a": [None if np.isnan(v) else v for v in holes[:, 0]],
        "town": [None if i == 4 else ("Bern", "Chur")[i % 2] for i in range(80)],
    }
    for X in (pa.table(columns), columns):
        out = lb.VAEImputer(**TINY).fit(X).transform(X)
        assert type(out) is type(X)
        cells = out["town"].to_pylist() if isinstance(out, pa.Table) else out["town"]
        assert cells[4] in ("Bern", "Chur") and cells[:4] == columns["town"][:4]
    own = {"town": pa.array(columns["town"]).dictionary_encode()}
    own["n"] = pa.array([None, *(i % 9 for i in range(79))], pa.int16())
    X = pa.table({"a": columns["a"], **own})
    out = lb.VAEImputer(**TINY).fit(X).transform(X)
    assert out.schema == X.schema and all(column.null_count == 0 for column in out.columns)


def test_frames_of_polars_keep_their_types():
    pl = pytest.importorskip("polars")
    towns = [None if i == 4 else ("Bern", "Chur")[i % 2] for i in range(80)]
    X = pl.DataFrame({
        "n": pl.Series([None, *(i % 9 for i in range(79))], dtype=pl.Int16),
        "town": pl.Series(towns, dtype=pl.Categorical),
    })  # fmt: skip
    out = lb.VAEImputer(**TINY).fit(X).transform(X)
    assert out.schema == X.schema and out.null_count().row(0) == (0, 0)

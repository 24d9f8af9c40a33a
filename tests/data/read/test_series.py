"""Series as people have them: recordings in tables, .ts and .tsv files, arrays cut into windows."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

import lowerbound as lb
from lowerbound.data import read_examples
from lowerbound.data.read.source import recordings_of
from lowerbound.data.reading import reading
from lowerbound.errors import DataError, SettingError, UnknownNameError

START = datetime.datetime(2024, 1, 1)


def minutes(places):
    return [str(START + datetime.timedelta(minutes=int(i))) for i in places]


def recording(steps, seed=0):
    noise = np.random.default_rng(seed).normal(size=(steps, 2))
    return np.array([20.0, 1000.0]) + noise * np.array([1.0, 50.0])


def table(values, when, **more):
    return pa.table({"when": when, **more, "temp": values[:, 0], "pressure": values[:, 1]})


def written(folder, content, name):
    path = folder / name
    path.write_text(content)
    return str(path)


def test_a_recording_is_cut_into_windows_that_share_no_step_across_the_split():
    values = recording(600)
    data = lb.read(table(values, minutes(range(600))), time="when", window=20, stride=5)
    assert data.schema.shape == (20, 2)
    assert data.schema.reading.step == 60e6
    steps = {}
    for part in ("train", "validation", "test"):
        x = data.part(part).x.numpy()
        steps[part] = {float(value) for value in x[:, :, 0].ravel()}
        assert len(data.part(part)) > 0
    assert not steps["train"] & steps["validation"]
    assert not steps["validation"] & steps["test"]
    assert not steps["train"] & steps["test"]
    assert steps["test"] <= set(values[-60:, 0])
    assert "one recording of 600 steps, cut into" in str(data.notes)


def test_each_channel_has_a_mean_and_spread_of_its_own():
    data = lb.read(table(recording(600), minutes(range(600))), time="when", window=20)
    assert data.schema.mean.shape == (1, 2)
    np.testing.assert_allclose(data.schema.mean.numpy(), [[20, 1000]], atol=5)
    np.testing.assert_allclose(data.schema.scale.numpy(), [[1, 50]], rtol=0.15)


def test_steps_that_are_missing_are_gaps_on_the_grid_of_times():
    values, keep = recording(400), np.delete(np.arange(400), [7, 8])
    found = recordings_of(
        table(values[keep], minutes(keep)), reading(time="when", window=20, stride=20)
    )
    (one,) = found.each
    assert len(one) == 400
    assert np.isnan(one.values[[7, 8]]).all()
    np.testing.assert_array_equal(one.values[keep], values[keep])
    assert found.times(0)[7] == "2024-01-01 00:07:00"


def test_new_data_are_cut_alike_to_their_last_step():
    data = lb.read(table(recording(400), minutes(range(400))), time="when", window=20, stride=20)
    values = recording(47, seed=1)
    new, _ = read_examples(table(values, minutes(range(47))), data.schema)
    assert new.row_names == tuple(minutes([0, 20, 27]))
    np.testing.assert_array_equal(new.x[-1].numpy(), values[27:])


def test_a_new_recording_shorter_than_a_window_ends_in_gaps():
    data = lb.read(table(recording(400), minutes(range(400))), time="when", window=20)
    new, _ = read_examples(table(recording(12), minutes(range(12))), data.schema)
    assert len(new) == 1
    assert new.observed[0, :12].all()
    assert not new.observed[0, 12:].any()


def test_new_data_measured_at_other_steps_are_refused():
    data = lb.read(table(recording(400), minutes(range(400))), time="when", window=20)
    half = [str(START + datetime.timedelta(seconds=90 * i)) for i in range(60)]
    with pytest.raises(DataError, match="not those of the training"):
        read_examples(table(recording(60), half), data.schema)


def test_columns_of_new_data_are_matched_by_name():
    data = lb.read(table(recording(400), minutes(range(400))), time="when", window=20)
    values = recording(20)
    turned = table(values, minutes(range(20))).select(["pressure", "when", "temp"])
    new, _ = read_examples(turned, data.schema)
    np.testing.assert_array_equal(new.x[0].numpy(), values)


def test_windows_put_back_are_the_recording():
    values = recording(103)
    found = recordings_of(values, reading(window=20, stride=7, recorded=True))
    places = found.places()
    (back,) = found.put_back(places, found.windows(places))
    np.testing.assert_array_equal(back, values)


def test_whole_devices_are_held_out_where_there_are_many():
    values = recording(12 * 40)
    device = np.repeat([f"d{i}" for i in range(12)], 40)
    whole = table(values, minutes(list(range(40)) * 12), unit=device)
    data = lb.read(whole, time="when", device="unit", window=10, stride=5)
    sides = [{name.split()[0] for name in data.part(p).row_names} for p in
             ("train", "validation", "test")]  # fmt: skip
    assert [len(side) for side in sides] == [10, 1, 1]
    assert len(set.union(*sides)) == 12


def test_rows_out_of_order_are_put_in_order_and_it_is_said():
    values, order = recording(400), np.random.default_rng(1).permutation(400)
    straight = lb.read(table(values, minutes(range(400))), time="when", window=20)
    data = lb.read(table(values[order], minutes(order)), time="when", window=20)
    assert data.fingerprint == straight.fingerprint
    assert "not in the order of their times" in str(data.notes)


def test_two_rows_of_one_time_are_refused_in_a_line():
    when = minutes(range(99)) + minutes([3])
    with pytest.raises(DataError, match=r"row 4 and row 100.*--id"):
        lb.read(table(recording(100), when), time="when")


def test_a_recording_too_short_for_a_window_is_refused_in_a_line():
    with pytest.raises(DataError, match="no recording of more than 50 steps, too short"):
        lb.read(table(recording(50), minutes(range(50))), time="when", window=128)


def test_a_column_of_words_is_refused_with_the_option_that_leaves_it_out():
    words = np.array(["on", "off", "off", "on"] * 50)
    whole = table(recording(200), minutes(range(200)), state=words)
    with pytest.raises(DataError, match="--column state=skip"):
        lb.read(whole, time="when", window=10)
    data = lb.read(whole, time="when", window=10, columns={"state": "skip"})
    assert data.schema.reading.sensors == ("temp", "pressure")


def test_an_unknown_column_of_times_and_windows_of_a_table_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="when"):
        lb.read(table(recording(50), minutes(range(50))), time="whn")
    path = written(tmp_path, "a,b\n" + "1,2\n" * 30, "t.csv")
    with pytest.raises(SettingError, match="--time"):
        lb.read(path, window=4)
    with pytest.raises(SettingError, match="whole number of steps"):
        lb.read(recording(50), window=0)


def test_channels_that_never_vary_are_named_with_the_way_to_leave_them_out():
    # ten nats a window worse, and not a word
    values = recording(600)
    values[:, 1] = 7
    data = lb.read(table(values, minutes(range(600))), time="when", window=20)
    assert "--column pressure=skip leaves it out (pressure)" in str(data.notes[-1])
    data = lb.read(values, window=20)
    assert "leave it out (channel 2)" in str(data.notes[-1])
    assert "one value" not in str(lb.read(recording(600), window=20).notes)


def test_a_long_gap_ends_a_recording():
    places = [*range(200), *range(5000, 5200)]
    found = recordings_of(
        table(recording(400), minutes(places)), reading(time="when", window=20, stride=20)
    )
    assert [len(one) for one in found.each] == [200, 200]


def test_uneven_times_are_taken_as_they_come_and_it_is_said():
    seconds = np.cumsum(np.random.default_rng(0).exponential(size=400))
    data = lb.read(table(recording(400), seconds), time="when", window=20)
    assert data.schema.reading.step is None
    assert "not evenly apart" in str(data.notes)
    assert "(from 0.000487348 to 8.12875, median 0.800471)" in str(data.notes)


def test_steps_between_dates_are_told_in_hours_minutes_and_seconds():
    # in microseconds before: "from 3.15319e+08 to 3.23912e+09"
    places = np.cumsum(np.random.default_rng(0).integers(5, 50, 400))
    data = lb.read(table(recording(400), minutes(places)), time="when", window=20)
    assert "not evenly apart (from 0:05:00 to 0:49:00, median 0:29:00)" in str(data.notes)


def test_one_endless_array_is_cut_where_a_window_is_told():
    data = lb.read(recording(600), window=20, stride=10)
    assert data.schema.describe() == "real series of 20 steps, 2 channels"
    assert "one recording of 600 steps" in str(data.notes)


def test_ts_files_have_channels_classes_and_gaps(tmp_path):
    head = "# said by nobody\n@problemName X\n@univariate false\n@classLabel true a b\n@data\n"
    rows = [f"1,{i},?:4,5,6:{'ab'[i % 2]}" for i in range(30)]
    rows[3] = "1,2:4,5:a"
    data = lb.read(written(tmp_path, head + "\n".join(rows), "x.ts"))
    assert data.schema.shape == (3, 2)
    assert data.schema.missing
    assert data.train.label_names == ("a", "b")
    assert "end in gaps" in str(data.notes)


def test_files_of_the_ucr_archive_have_their_class_first(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 12)).round(3)
    rows = [f"{i % 3}\t" + "\t".join(map(str, row)) for i, row in enumerate(values.tolist())]
    data = lb.read(written(tmp_path, "\n".join(rows), "Beats_TRAIN.tsv"))
    assert data.schema.describe() == "real series of 12 steps, 1 channel"
    assert set(data.train.x[:, 0, 0].tolist()) <= set(values[:, 0].tolist())
    assert data.train.label_names == ("0", "1", "2")


def test_a_ts_file_without_data_or_with_words_is_refused(tmp_path):
    with pytest.raises(DataError, match="no line @data"):
        lb.read(written(tmp_path, "hello\n", "a.ts"))
    with pytest.raises(DataError, match=r"line 2 of 'b.ts'"):
        lb.read(written(tmp_path, "@data\n1,x,3\n", "b.ts"))


def test_arrays_whose_channels_come_first_are_turned():
    values = recording(600)
    data = lb.read(values.T[None], axes="ct", window=20, stride=10)
    assert data.schema.reading.axes == "ct"
    assert data.fingerprint == lb.read(values, window=20, stride=10).fingerprint


def test_series_are_read_in_memory():
    with pytest.raises(SettingError, match="stream"):
        lb.read(recording(600), window=20, stream=True)

"""States: each whole or not there, and a damaged one gives way to the one before."""

import errno
import json
import os
import random
from pathlib import Path

import pytest
import torch

from lowerbound.errors import OutputError, RunError
from lowerbound.runs import StateDirectory


def number(n: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((3,), float(n)), "step": torch.tensor(n), "b": torch.zeros(2).byte()}


@pytest.fixture
def states(tmp_path: Path) -> StateDirectory:
    """Three states were saved, and two are kept."""
    states = StateDirectory(tmp_path / "state")
    for n in (1, 2, 3):
        states.save(number(n), {"n": n, "seconds": 0.1 + 0.2})
    return states


def found(states: StateDirectory) -> tuple[int, tuple[str, ...]]:
    """Which state is loaded, by another process, and what is said."""
    tensors, values, notes = StateDirectory(states.path).load()
    assert torch.equal(tensors["w"], torch.full((3,), float(values["n"])))
    assert values["seconds"] == 0.1 + 0.2
    return values["n"], notes


def damage(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)


def test_the_newest_state_is_loaded_and_older_ones_are_removed(states):
    assert found(states) == (3, ())
    assert sorted(os.listdir(states.path)) == [
        "00000002.json", "00000002.safetensors", "00000003.json", "00000003.safetensors"
    ]  # fmt: skip


@pytest.mark.parametrize("keep", [1, 3])
def test_as_many_are_kept_as_are_asked_for(tmp_path: Path, keep: int):
    states = StateDirectory(tmp_path / "state", keep)
    for n in range(5):
        states.save(number(n), {"n": n})
    assert len(os.listdir(states.path)) == 2 * keep


@pytest.mark.parametrize("names", [["json"], ["safetensors"], ["json", "safetensors"]], ids=str)
@pytest.mark.parametrize("how", ["changed", "cut", "emptied", "removed"])
def test_a_damaged_newest_state_gives_way_to_the_one_before(states, names, how):
    for name in names:
        path = states.path / f"00000003.{name}"
        if how == "changed":
            damage(path)
        elif how == "cut":
            path.write_bytes(path.read_bytes()[:-30])
        elif how == "emptied":
            path.write_bytes(b"")
        else:
            path.unlink()
    n, notes = found(states)
    assert n == 2
    if not ("json" in names and how == "removed"):  # a state without a record was never there
        assert len(notes) == 1 and "the state saved before it is used" in notes[0]


def test_what_is_saved_after_a_damaged_state_leaves_the_good_one(states):
    damage(states.path / "00000003.safetensors")
    again = StateDirectory(states.path)
    again.load()
    again.save(number(4), {"n": 4, "seconds": 0.1 + 0.2})
    assert sorted(os.listdir(states.path))[::2] == ["00000002.json", "00000004.json"]
    damage(states.path / "00000004.json")
    assert found(states)[0] == 2


def test_no_state_and_only_damaged_ones_are_told_apart(states, tmp_path: Path):
    for path in states.path.glob("*.safetensors"):
        damage(path)
    with pytest.raises(RunError, match=r"every state in .* is damaged"):
        found(states)
    with pytest.raises(RunError, match="has no state to go on from"):
        StateDirectory(tmp_path / "none").load()


def test_a_damaged_record_is_never_believed(states):
    path, chance = states.path / "00000003.json", random.Random(0)
    contents = path.read_bytes()
    for _ in range(200):
        changed = bytearray(contents)
        for _ in range(chance.choice([1, 1, 4])):
            changed[chance.randrange(len(changed))] = chance.choice(b'0123456789{}[]",:\\ \x00\xff')
        path.write_bytes(changed)
        assert found(states)[0] in (2, 3)


def test_hostile_records_are_refused(states):
    path = states.path / "00000003.json"
    record = json.loads(path.read_text())
    for change in ({"values": 3}, {"values": "[" * 10**5}, {"format": "x"}, {"format_version": 2}):
        path.write_text(json.dumps(record | change))
        assert found(states)[0] == 2
    for contents in ("[]", "null", "7", "[" * 10**5):
        path.write_text(contents)
        assert found(states)[0] == 2


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_full_disk_leaves_the_last_good_state_whole(states, monkeypatch, step, nth):
    real, seen, before = getattr(os, step), [], sorted(os.listdir(states.path))

    def full(*arguments, **more):
        seen.append(1)
        if len(seen) >= nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments, **more)

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OutputError, match="no space left"):
        states.save(number(4), {"n": 4})
    monkeypatch.undo()
    assert sorted(os.listdir(states.path)) == before
    assert found(states) == (3, ())
    states.save(number(5), {"n": 5, "seconds": 0.1 + 0.2})
    assert found(states) == (5, ())


def test_what_a_kill_left_behind_is_removed_by_the_next_save(states):
    (states.path / ".00000004.safetensors.abc123").write_bytes(b"half")
    (states.path / "00000004.safetensors").write_bytes(b"without a record")
    (states.path / "notes.txt").write_text("mine")
    assert found(states) == (3, ())
    states.save(number(4), {"n": 4, "seconds": 0.1 + 0.2})
    assert found(states) == (4, ())
    assert len(os.listdir(states.path)) == 5 and (states.path / "notes.txt").exists()

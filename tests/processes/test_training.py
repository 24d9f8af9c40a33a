"""Two processes on one batch are one process: the same weights, the same end, or a refusal."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

WORKER = Path(__file__).with_name("worker.py")
worker = runpy.run_path(str(WORKER))
#: float32 sums in another order, through some 20 updates: weights are of the size of one, and a
#: bound is a sum of tens. What is forgotten or counted twice moves both by 1e-3 and more.
TOLERANCE = {"weights": 2e-5, "history": 2e-4}


@pytest.fixture(scope="module")
def out(tmp_path_factory, launch) -> Path:
    """What two processes came to: one launch for all that is asked of them."""
    folder = tmp_path_factory.mktemp("two")
    keep = worker["Keep"](9)
    worker["train"](epochs=3, batch_size=20, watch=[keep])
    worker["write_state"](folder / "a state", keep.state)
    ended = launch(folder, WORKER, folder).ended()
    assert ended.code == 0, ended.err
    return folder


@pytest.mark.parametrize("name", list(worker["CASES"]))
def test_two_processes_follow_one(out: Path, name: str, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(WORKER), str(out)])
    alone = worker["facts"](worker["CASES"][name]())
    first, second = (load_file(out / f"{name}-{rank}.safetensors") for rank in (0, 1))
    for key, tolerance in TOLERANCE.items():
        assert torch.equal(first[key], second[key])
        torch.testing.assert_close(first[key], alone[key], rtol=0.0, atol=tolerance)


def test_it_would_see_other_noise(out: Path) -> None:
    """The tolerance is small beside what another order of the examples, or other noise, does."""
    some = load_file(out / "elbo-0.safetensors")["weights"]
    other = worker["train"](epochs=3, batch_size=21).model.parameters()
    moved = (torch.cat([p.detach().flatten() for p in other]) - some).abs().max()
    assert moved > 100 * TOLERANCE["weights"]


def test_a_state_of_two_processes_is_gone_on_with_by_one(out: Path) -> None:
    whole = worker["train"](epochs=3, batch_size=20)
    state = worker["read_state"](out / "of two")
    resumed = worker["train"](epochs=3, batch_size=20, resume=state)
    for key, tolerance in TOLERANCE.items():
        torch.testing.assert_close(
            worker["facts"](resumed)[key], worker["facts"](whole)[key], rtol=0.0, atol=tolerance
        )


def test_what_one_asks_for_all_do_after_the_same_update(out: Path) -> None:
    notes = [(out / f"notes-{rank}").read_text() for rank in (0, 1)]
    assert notes[0] == notes[1]
    # asked for in update 4, told in update 5
    assert notes[0].startswith("enough 5 interrupted 5 ")
    assert notes[0].endswith(" True")


def test_processes_that_were_given_different_things_are_refused_with_what_differs(
    out: Path,
) -> None:
    said = [(out / f"refusals-{rank}").read_text().splitlines() for rank in (0, 1)]
    assert said[0] == said[1]
    assert ["settings of the training" in said[0][0], "the data" in said[0][1]] == [True, True]
    assert all("process 1 has" in line for line in said[0])

"""Weights on disk: checked in name, shape, type, number and checksum."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lowerbound.catalogue import build
from lowerbound.errors import RunError
from lowerbound.networks import MLP
from lowerbound.runs import load_weights, read_weights, write_weights
from lowerbound.runs.weights import _digest, ties
from lowerbound.testing import SCHEMAS

TENSORS = {
    "a": torch.randn(3, 2),
    "b": torch.tensor(1.5, dtype=torch.float64),
    "c": torch.arange(4),
    "d": torch.randn(2, 2).bfloat16(),
    "e": torch.tensor([True, False]),
    "f": torch.randn(3, 4).T,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_weights(tmp_path / "w", TENSORS)
    return tmp_path / "w"


def test_what_is_written_is_read_to_the_last_bit(path: Path):
    found = read_weights(path, {name: t.to("meta") for name, t in TENSORS.items()})
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def test_a_model_gets_its_weights_back(tmp_path: Path):
    one, other = MLP((3,), (2,), (4,)), MLP((3,), (2,), (4,))
    write_weights(tmp_path / "w", one.state_dict())
    load_weights(other, tmp_path / "w")
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def refused(path: Path, words: str, expected=TENSORS) -> None:
    with pytest.raises(RunError, match=words) as caught:
        read_weights(path, expected)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_models_weights_are_refused_by_name_shape_and_type(path: Path):
    refused(path, "'c' is in only one", {k: v for k, v in TENSORS.items() if k != "c"})
    refused(path, "'z' is in only one", {**TENSORS, "z": torch.zeros(1)})
    refused(path, r"'a' is \(3, 2\), the model's is \(2, 3\)", {**TENSORS, "a": torch.zeros(2, 3)})
    refused(path, "'a' has another number type", {**TENSORS, "a": torch.zeros(3, 2).double()})


def test_a_file_that_is_missing_or_foreign_is_refused(tmp_path: Path):
    refused(tmp_path / "none", "is missing")
    refused(tmp_path, "is missing")
    save_file({k: v.contiguous() for k, v in TENSORS.items()}, tmp_path / "foreign")
    refused(tmp_path / "foreign", "not written by lowerbound")
    (tmp_path / "text").write_text("hello")
    refused(tmp_path / "text", "truncated or damaged")
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", "truncated or damaged")


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, keep: float):
    contents = path.read_bytes()
    path.write_bytes(contents[: int(keep * len(contents))])
    refused(path, "truncated or damaged")


def test_one_flipped_bit_of_a_number_is_seen(path: Path):
    contents = bytearray(path.read_bytes())
    contents[-3] ^= 1
    path.write_bytes(contents)
    refused(path, "checksum is wrong")


def test_a_header_that_claims_more_than_there_is_is_refused(path: Path):
    for claim in (2**63, 2**40, 10**8):
        path.write_bytes(claim.to_bytes(8, "little") + b"{}")
        refused(path, "truncated or damaged")
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    refused(path, "truncated or damaged")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: float):
    tensors = {"a": torch.tensor([1.0, value])}
    write_weights(tmp_path / "w", tensors)
    refused(tmp_path / "w", "not finite in 'a'", tensors)


def test_the_same_weights_are_the_same_bytes(tmp_path):
    # the library underneath writes the two keys of the header in either order: all alike by
    # chance, once in 2 ** 31
    written = set()
    for _ in range(32):
        write_weights(tmp_path / "w", {"b": torch.ones(2, 3), "a": torch.zeros(1)})
        written.add((tmp_path / "w").read_bytes())
    assert len(written) == 1
    found = read_weights(tmp_path / "w", {"a": torch.empty(1), "b": torch.empty(2, 3)})
    assert torch.equal(found["b"], torch.ones(2, 3))


# --- tensors that have several names


ONE = torch.randn(3, 2)
TIED = {"a": ONE, "b": torch.randn(2), "again": ONE, "third": ONE}


def names_in(path: Path) -> set[str]:
    with safe_open(str(path), framework="pt") as file:
        return set(file.keys())


def test_a_tensor_of_several_names_is_written_once_and_read_under_each(tmp_path: Path):
    # safetensors refuses shared memory: a VampPrior could not be saved
    write_weights(tmp_path / "w", TIED)
    assert names_in(tmp_path / "w") == {"a", "b"}
    found = read_weights(tmp_path / "w", TIED)
    assert list(found) == list(TIED)
    for name, tensor in TIED.items():
        assert torch.equal(found[name], tensor)
    assert found["a"] is found["again"] is found["third"]


def test_views_of_one_tensor_that_differ_are_no_ties(tmp_path: Path):
    whole = torch.randn(2, 3)
    tensors = {"a": whole, "b": whole.T, "d": torch.zeros(0), "e": torch.zeros(0)}
    assert ties(tensors) == {}
    write_weights(tmp_path / "w", tensors)
    found = read_weights(tmp_path / "w", tensors)
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def vamp():
    settings = {"latents": 2, "hidden": (4,), "prior": "vamp", "components": 3}
    return build("vae", SCHEMAS["mixed 6"], **settings)[0]


def test_a_model_that_shares_its_posterior_is_saved_once_and_shares_it_again(tmp_path: Path):
    one, other = vamp(), vamp()
    write_weights(tmp_path / "w", one.state_dict())
    shared = {f"posterior.{name}" for name, _ in one.posterior.named_parameters()}
    assert len(names_in(tmp_path / "w")) == len(one.state_dict()) - len(shared)
    load_weights(other, tmp_path / "w")
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    assert other.prior.posterior is other.posterior
    with torch.device("meta"):  # as a run is checked before any memory is taken
        expected = vamp().state_dict(keep_vars=True)
    assert set(read_weights(tmp_path / "w", expected)) == set(one.state_dict())


def test_ties_that_were_written_as_copies_are_read_too(tmp_path: Path):
    # the best weights so far are copies, each under its own name
    model = vamp()
    copies = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    write_weights(tmp_path / "w", copies)
    assert names_in(tmp_path / "w") == set(copies)
    load_weights(vamp(), tmp_path / "w")


def forged(path: Path, tensors, tied) -> None:
    """A file whose header ties names as it likes, with a checksum that is right."""
    metadata = {
        "format": "lowerbound-weights",
        "sha256": _digest(tensors, tied if isinstance(tied, dict) else {}),
        "tied": tied if isinstance(tied, str) else json.dumps(tied),
    }
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)


LEFT = {"a": ONE, "b": torch.randn(2)}
ATTACKS = {
    "a chain": ({"again": "third", "third": "a"}, "'again' is tied in only one"),
    "a circle": ({"again": "third", "third": "again"}, "tied in only one"),
    "itself": ({"again": "again", "third": "a"}, "tied in only one"),
    "an unknown target": ({"again": "nowhere", "third": "a"}, "tied in only one"),
    "an unknown name": ({"again": "a", "third": "a", "x": "a"}, "'x' is tied in only one"),
    "another shape": ({"again": "b", "third": "a"}, "'again' is tied in only one"),
    "no text": ({"again": 3, "third": "a"}, "tied in only one"),
    "too few": ({"again": "a"}, "'third' is in only one"),
    "a list": ("[]", "truncated or damaged"),
    "no JSON": ("{", "truncated or damaged"),
    "a tower": ("[" * 100_000, "truncated or damaged"),
    "a long name": ({"n" * 10_000: "a"}, "tied in only one"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_ties_no_names_but_those_of_the_model(tmp_path: Path, attack: str):
    tied, words = ATTACKS[attack]
    forged(tmp_path / "w", LEFT, tied)
    refused(tmp_path / "w", words, TIED)
    forged(tmp_path / "w", LEFT, {"again": "a", "third": "a"})
    assert torch.equal(read_weights(tmp_path / "w", TIED)["third"], ONE)


def test_two_tensors_of_one_shape_cannot_be_made_one(tmp_path: Path):
    apart = {"a": torch.zeros(3), "b": torch.ones(3)}
    forged(tmp_path / "w", {"a": torch.zeros(3)}, {"b": "a"})
    refused(tmp_path / "w", "'b' is tied in only one", apart)


def test_the_checksum_is_of_the_ties_too(tmp_path: Path):
    plain = {"format": "lowerbound-weights", "sha256": _digest({"a": ONE}, {}),
             "tied": json.dumps({"b": "a", "c": "a"})}  # fmt: skip
    save_file({"a": ONE}, tmp_path / "w", plain)
    refused(tmp_path / "w", "checksum is wrong", {"a": ONE, "b": ONE, "c": ONE})

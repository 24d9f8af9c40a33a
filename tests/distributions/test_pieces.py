"""Texts cut into pieces: nothing is lost, and the law is one over pieces."""

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.data import texts_of
from lowerbound.data.pieces import Words
from lowerbound.distributions import Sequence
from lowerbound.distributions.pieces import Pieces
from lowerbound.errors import SettingError
from lowerbound.networks import Writer

TEXTS = ["low lower lowest", "newer  wider ", "ünïcode ☃", "", " a low tower"]


def rows(texts, width=24):
    found = np.zeros((len(texts), width), np.uint8)
    for row, text in zip(found, texts, strict=True):
        row[: len(text.encode())] = np.frombuffer(text.encode(), np.uint8)
    return found


@pytest.fixture
def pieces():
    words = Words()
    words.add(rows(TEXTS * 5))
    return Pieces(words.pairs())


def test_the_most_frequent_pair_is_learned_first_and_joined_in_every_word():
    words = Words()
    words.add(rows(["ab ab abc"] * 10 + ["bc"] * 5))
    pieces = Pieces(words.pairs())
    assert pieces.spelling[256] == b"ab"
    assert [pieces.spelling[one] for one in pieces.of_word(b" abc")][-1] in (b" abc", b"abc", b"c")
    assert b"bc" not in pieces.spelling  # of itself it stands there too seldom


def test_whatever_is_cut_is_spelt_again(pieces):
    x = torch.from_numpy(rows([*TEXTS, "never seen: zq\x01"]))
    cut = pieces.cut(x)
    assert len(pieces.pairs) > 2
    assert (cut[0] > 0).sum() < (x[0] > 0).sum()
    assert texts_of(pieces.spelt(cut, 24).numpy()) == [*TEXTS, "never seen: zq\x01"]


def test_nats_of_pieces_stand_at_their_last_bytes_and_add_up(pieces):
    torch.manual_seed(0)
    writer = Writer(2, pieces.levels, hidden=8, embedding=4).requires_grad_(False)
    z, x = torch.randn(3, 5, 2), torch.from_numpy(rows(TEXTS))
    found = Sequence(writer, z, 24, pieces=pieces).cells(x)
    cut = pieces.cut(x)
    own = Sequence(writer, z, cut.shape[1]).cells(cut)
    torch.testing.assert_close(found.sum(dim=-1), own.sum(dim=-1))
    places = pieces.ends(cut)[0, : int((cut[0] > 0).sum()) + 1]
    torch.testing.assert_close(found[:, 0, places], own[:, 0, : len(places)])
    assert int(places[-1]) == len(TEXTS[0])


def test_draws_of_pieces_are_bytes(pieces):
    writer = Writer(2, pieces.levels, hidden=8, embedding=4).requires_grad_(False)
    drawn = Sequence(writer, torch.zeros(50, 2), 12, pieces=pieces).sample()
    assert drawn.shape == (50, 12)
    assert int(drawn.max()) < 256
    assert not bool(drawn[:, -1].any())


def test_a_model_of_pieces_is_made_by_a_setting_and_said():
    data = lb.read([f"the {a} of the {b}" for a in ("house", "mouse", "horse", "hose")
                    for b in ("garden", "harbour", "gardener", "barber")])  # fmt: skip
    told = {"tokens": 262, "hidden": 8, "latents": 2, "embedding": 4}
    made = assemble("auto", data.schema, told, seed=0)
    assert made.model.likelihood.network.levels == 262
    assert "at most" in " ".join(made.words)
    again = type(data.schema).from_json(data.schema.to_json())
    assert again.fields[0].pairs == data.schema.fields[0].pairs
    batch = data.train.load().batch(slice(0, 4))
    assert bool(made.objective(made.model, batch).value.isfinite().all())
    with pytest.raises(SettingError, match="from 256 to"):
        assemble("auto", data.schema, {**told, "tokens": 5000})

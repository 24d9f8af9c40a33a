"""Sequences of tokens: every law of them is a law over texts that end."""

import itertools

import pytest
import torch

from lowerbound.distributions import Sequence
from lowerbound.distributions.sequence import counted
from lowerbound.errors import SupportError
from lowerbound.networks import Reader, TuneReader, TuneWriter, Writer

LEVELS, LONGEST = 3, 5


@pytest.fixture(params=["tokens before", "places alone"])
def writer(request) -> Writer | TuneWriter:
    torch.manual_seed(0)
    if request.param == "tokens before":
        made = Writer(2, LEVELS, hidden=8, embedding=4).double()
    else:
        made = TuneWriter(2, LEVELS, LONGEST, hidden=8, embedding=4, channels=4).double()
    with torch.no_grad():
        made.last.weight.mul_(3)
    return made.requires_grad_(False)


def texts(length: int) -> torch.Tensor:
    """All texts of up to `length` tokens 1 and 2, ended and filled by 0."""
    found = [
        (*text, *[0] * (LONGEST - n))
        for n in range(length + 1)
        for text in itertools.product((1, 2), repeat=n)
    ]
    return torch.tensor(found)


def test_all_texts_and_those_that_are_longer_sum_to_one(writer):
    law = Sequence(writer, torch.tensor([0.3, -1.0], dtype=torch.float64), LONGEST)
    ended = law.log_prob(texts(4)).exp().sum()
    cut = torch.tensor(list(itertools.product((1, 2), repeat=LONGEST)))  # no end within the event
    beyond = law.log_prob(cut).exp().sum()
    assert float(beyond) > 1e-3
    assert float(ended + beyond) == pytest.approx(1.0, abs=1e-12)


def test_draws_come_as_often_as_the_law_says(writer):
    law = Sequence(writer, torch.tensor([0.3, -1.0], dtype=torch.float64), LONGEST)
    torch.manual_seed(1)
    draws = law.sample((20000,))
    for text in texts(2):
        chance = float(law.log_prob(text).exp())
        found = float((draws == text).all(dim=-1).double().mean())
        # fails beyond 4.9 standard errors; a law shifted by one token differs by more than 20
        assert abs(found - chance) < 4.9 * (chance * (1 - chance) / 20000) ** 0.5 + 1e-9


def test_steps_give_the_probabilities_of_one_pass(writer):
    z = torch.randn(6, 2, dtype=torch.float64)
    tokens = torch.randint(1, LEVELS, (6, LONGEST))
    once = writer.logits(z, tokens)
    state = writer.begin(z)
    for place in range(LONGEST):
        before = torch.zeros(6, dtype=torch.long) if place == 0 else tokens[:, place - 1]
        logits, state = writer.step(state, before)
        torch.testing.assert_close(logits, once[:, place], rtol=0, atol=1e-12)


def test_a_token_is_predicted_from_earlier_ones_alone(writer):
    tokens = torch.tensor([[1, 2, 1, 2, 1]])
    z = torch.zeros(1, 2, dtype=torch.float64)
    first = writer.logits(z, tokens)
    for place in range(LONGEST):
        other = tokens.clone()
        other[0, place] = 3 - other[0, place]
        moved = (writer.logits(z, other) - first).abs().sum(dim=-1)[0] > 1e-12
        assert not bool(moved[: place + 1].any())
        assert bool(moved[place + 1 :].all()) == isinstance(writer, Writer) or place == LONGEST - 1


def test_what_follows_the_end_changes_neither_value_nor_gradient(writer):
    z = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    ended = torch.tensor([[1, 2, 0, 0, 0], [2, 0, 0, 0, 0]])
    noise = torch.tensor([[1, 2, 0, 2, 1], [2, 0, 1, 1, 2]])
    found = []
    for tokens in (ended, noise):
        value = Sequence(writer, z, LONGEST).log_prob(tokens)
        (slope,) = torch.autograd.grad(value.sum(), z)
        found.append((value.detach(), slope))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_the_end_is_data(writer):
    law = Sequence(writer, torch.zeros(2, dtype=torch.float64), LONGEST)
    cells = law.cells(torch.tensor([1, 2, 0, 0, 0]))
    assert cells[2] < 0
    assert cells[3:].tolist() == [0.0, 0.0]


def test_a_text_alone_has_the_probability_that_it_has_among_longer_ones(writer):
    z = torch.randn(3, 2, dtype=torch.float64)
    tokens = torch.tensor([[1, 0, 0, 0, 0], [1, 2, 1, 2, 0], [2, 2, 0, 0, 0]])
    together = Sequence(writer, z, LONGEST).log_prob(tokens)
    alone = [Sequence(writer, z[i], LONGEST).log_prob(tokens[i]) for i in range(3)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-12, atol=0)


def test_draws_of_z_come_first(writer):
    z = torch.randn(4, 3, 2, dtype=torch.float64)
    tokens = torch.randint(0, LEVELS, (3, LONGEST))
    found = Sequence(writer, z, LONGEST).log_prob(tokens)
    assert found.shape == (4, 3)
    one = Sequence(writer, z[2, 1], LONGEST).log_prob(tokens[1])
    assert float(found[2, 1]) == pytest.approx(float(one), abs=1e-12)


def test_a_gap_inside_a_text_is_refused(writer):
    law = Sequence(writer, torch.zeros(2, dtype=torch.float64), LONGEST)
    tokens = torch.tensor([1, 2, 0, 0, 0])
    known = torch.tensor([True, True, True, False, False])
    assert law.log_prob(tokens, known) == law.log_prob(tokens)
    with pytest.raises(SupportError, match="inside a sequence"):
        law.log_prob(tokens, torch.tensor([True, False, True, False, False]))


def test_tokens_count_up_to_the_first_end():
    tokens = torch.tensor([[1, 0, 2, 0], [1, 2, 1, 2], [0, 0, 0, 0]])
    assert counted(tokens).sum(dim=1).tolist() == [2, 4, 1]


def test_where_places_stand_alone_the_most_probable_tune_is_that_of_each_place():
    torch.manual_seed(1)
    writer = TuneWriter(2, LEVELS, LONGEST, hidden=8, embedding=4, channels=4).double()
    z = torch.randn(50, 2, dtype=torch.float64)
    best = writer.logits(z, torch.zeros(50, LONGEST - 1)).argmax(dim=-1)
    expected = torch.where((best == 0).cummax(dim=1).values, 0, best)
    found = Sequence(writer, z, LONGEST).greedy()
    assert torch.equal(found[:, :-1], expected)
    assert len(found.unique(dim=0)) > 1


@pytest.mark.parametrize("kind", [Reader, TuneReader])
def test_the_encoding_of_a_text_does_not_depend_on_its_batch(kind):
    torch.manual_seed(0)
    place = (LONGEST,) if kind is TuneReader else ()
    reader = kind(LEVELS, *place, (2, 3), hidden=8, embedding=4).double()
    tokens = torch.tensor([[1, 2, 0, 0, 0], [2, 1, 2, 1, 2], [0, 0, 0, 0, 0]])
    together = reader(tokens)
    for place in range(3):
        torch.testing.assert_close(
            reader(tokens[place : place + 1])[0], together[place], rtol=0, atol=1e-12
        )
    noise = torch.tensor([[1, 2, 0, 1, 2]])
    torch.testing.assert_close(reader(noise)[0], together[0], rtol=0, atol=1e-12)

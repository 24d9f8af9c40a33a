"""Every rule on plain numbers, both ways: what must be found, and what must not."""

from dataclasses import replace

import pytest
from scipy.stats import poisson

from lowerbound.doctor import RULES, Symptoms
from lowerbound.doctor.rules.collapse import collapse
from lowerbound.doctor.rules.leak import at_least
from lowerbound.doctor.rules.likelihood import counted_data
from lowerbound.doctor.rules.training import overfitting
from lowerbound.doctor.symptoms import Belief, Cell, Grid, Neighbours, Record, Structure
from lowerbound.training import Epoch, Terms

CALM = [-20.0, -12.0, -10.0, -9.5, -9.2, -9.1, -9.05, -9.02, -9.01, -9.0]
DEPENDENT = Structure(correlation=0.3, chance=0.05, score=200.0, strongest=0.6)
INDEPENDENT = Structure(correlation=0.05, chance=0.05, score=0.3, strongest=0.02)
CELL = Cell("'a'", scale=0.5, unit=1.0, residual=0.5, step=1e-4, distinct=400, rows=500)


def history(held_out: list[float], train: list[float] | None = None, rate=3.0) -> tuple[Epoch, ...]:
    epochs, best = [], float("-inf")
    for i, (held, learned) in enumerate(zip(held_out, train or held_out, strict=True)):
        terms = [Terms(v, v, -v - rate, rate) for v in (learned, held)]
        epochs.append(Epoch(i + 1, 40 * (i + 1), i, 1, 1e-3, *terms, best=held > best))
        best = max(best, held)
    return tuple(epochs)


def belief(**changes) -> Belief:
    return replace(
        Belief(
            rate=3.0,
            variances=(0.9,) * 6 + (0.0,) * 4,
            elbo=-9.0,
            train_elbo=-8.8,
            over_baseline=6.0,
            over_baseline_error=0.3,
            train_over_baseline=6.2,
            train_over_baseline_error=0.3,
            spread=(1.1,) * 10,
            heavy=0.1,
            effective_samples=60.0,
            samples=200,
            last_doubling=0.02,
            gap=0.4,
            error=0.4,
            examples=100,
        ),
        **changes,
    )


def healthy(**changes) -> Symptoms:
    record = Record("epochs", 10, history(CALM), scale="per-dimension")
    seen = Neighbours(200, 2000, copies=0, chance=0.1, nearest=0.0, usual=1.0)
    return replace(Symptoms(record, 2000, belief(), DEPENDENT, (CELL,) * 5, None, seen), **changes)


def recorded(held_out: list[float], train: list[float] | None = None, **changes) -> Record:
    rate = changes.pop("rate", 3.0)
    return replace(Record("epochs", 10, history(held_out, train, rate)), **changes)


TURNED = [*CALM[:6], -9.4, -10.0, -10.8, -11.5]
LEAPS = [*CALM[:6], -40.0, -9.3, -9.1, -9.0]
RISING = [-20.0, -18, -16, -14, -13, -12, -11.2, -10.4, -9.7, -9.0]
ASLEEP = (0.0,) * 10

FOUND = [
    ("non-finite training", healthy(record=recorded(CALM, stopped="non-finite")), "ill"),
    ("worse than no model", healthy(belief=belief(over_baseline=-2.0)), "ill"),
    ("posterior collapse", healthy(belief=belief(rate=0.01, variances=ASLEEP)), "ill"),
    ("posterior collapse", healthy(belief=belief(rate=0.5, variances=ASLEEP)), "ill"),
    ("posterior collapse", Symptoms(recorded(CALM, rate=0.01)), "warning"),
    ("unused units", healthy(belief=belief(variances=(0.9, 0.9, *ASLEEP[2:]))), "warning"),
    ("rate not used", healthy(belief=belief(rate=8.0, swap=0.3)), "ill"),
    ("rate not used", healthy(belief=belief(rate=8.0, swap=6.0, saved=1.3)), "ill"),
    ("leak between splits", healthy(neighbours=Neighbours(200, 2000, 20, 0.1, 0.01, 1)), "ill"),
    ("leak between splits", healthy(neighbours=Neighbours(200, 2000, 5, 0.1, 0, 1)), "warning"),
    ("vanishing scale", healthy(cells=(CELL, replace(CELL, step=0.0, residual=0.0))), "ill"),
    ("vanishing scale", healthy(cells=(CELL, replace(CELL, twin="'b'"))), "ill"),
    ("vanishing scale", healthy(cells=(CELL, replace(CELL, scale=1e-4))), "ill"),
    ("scale out of proportion", healthy(cells=(replace(CELL, scale=1.0),) * 5), "warning"),
    ("scale out of proportion", healthy(cells=(replace(CELL, scale=0.2),) * 5), "warning"),
    ("overfitting", healthy(belief=belief(train_over_baseline=20.0)), "ill"),
    ("overfitting", healthy(record=recorded(TURNED, CALM)), "warning"),
    ("under-training", healthy(record=recorded(RISING)), "ill"),
    ("under-training", healthy(record=recorded(CALM[:2])), "ill"),
    ("under-training", Symptoms(recorded(RISING)), "ill"),
    ("loss spikes", healthy(record=recorded(LEAPS, CALM)), "ill"),
    ("loss spikes", healthy(record=recorded([*CALM[:6], -14.5, *CALM[7:]], CALM)), "warning"),
    ("loss spikes", healthy(record=recorded(CALM, LEAPS)), "warning"),
    ("rate too high", healthy(belief=belief(spread=(3.0,) * 10)), "warning"),
    ("counted data under a density", healthy(grid=Grid(1 / 255, 256, 5)), "warning"),
    ("counted data under a density", healthy(cells=(CELL, replace(CELL, step=1, distinct=2))),
     "warning"),
    ("counted data under a density",
     healthy(cells=(CELL, replace(CELL, step=1, scale=0.3, distinct=2))), "ill"),
    ("heavy-tailed weights", healthy(belief=belief(heavy=0.9, last_doubling=0.5)), "warning"),
]  # fmt: skip

NOT_FOUND = [
    ("non-finite training", "an interruption", healthy(record=recorded(CALM, stopped="by hand"))),
    ("worse than no model", "chance",
     healthy(belief=belief(over_baseline=-1.0, over_baseline_error=0.5))),
    ("posterior collapse", "independent cells: there is nothing to say",
     healthy(belief=belief(rate=0.01, variances=ASLEEP), structure=INDEPENDENT)),
    ("posterior collapse", "a single unit at work",
     healthy(belief=belief(rate=0.8, variances=(0.6, *ASLEEP[1:])))),
    ("rate not used", "a z that is worth its rate", healthy(belief=belief(rate=5.6, swap=5.8))),
    ("rate not used", "most of it saved",
     healthy(belief=belief(rate=5.6, swap=5.8, saved=4.5))),
    ("rate not used", "a nat of rate that costs a fifth, and saves a third",
     healthy(record=recorded(CALM, beta=0.2), belief=belief(rate=30.0, swap=30.0, saved=10.0))),
    ("rate not used", "no sequences: nobody looked", healthy(belief=belief(swap=None))),
    ("rate not used", "hardly any rate", healthy(belief=belief(rate=0.3, swap=0.0))),
    ("unused units", "19 of 32 at work",
     healthy(belief=belief(variances=(0.5,) * 19 + (0.0,) * 13, spread=(1.1,) * 32))),
    ("unused units", "few units in all", healthy(belief=belief(variances=(0.9, 0.0, 0.0, 0.0)))),
    ("unused units", "a weighted rate",
     healthy(record=recorded(CALM, beta=4.0), belief=belief(variances=(0.9, *ASLEEP[1:])))),
    ("unused units", "as many as the program chose by itself",
     healthy(record=recorded(CALM, usual_latents=True), belief=belief(variances=(1, *ASLEEP[1:])))),
    ("leak between splits", "two copies among 200",
     healthy(neighbours=Neighbours(200, 2000, 2, 0.1, 0.01, 1))),
    ("leak between splits", "as many as one dimension brings",
     healthy(neighbours=Neighbours(500, 2000, 6, 4.0, 0.01, 1))),
    ("vanishing scale", "a constant cell under a fixed scale",
     healthy(record=recorded(CALM, scale="fixed"), cells=(replace(CELL, step=0.0),))),
    ("vanishing scale", "a constant cell under a scale that all share",
     healthy(record=recorded(CALM, scale="shared"), cells=(CELL, replace(CELL, step=0.0)))),
    ("vanishing scale", "a cell that is known well", healthy(cells=(replace(CELL, scale=0.05),))),
    ("scale out of proportion", "a fifth too wide", healthy(cells=(replace(CELL, scale=0.6),) * 5)),
    ("overfitting", "a gap that leaves most of the gain",
     healthy(belief=belief(train_over_baseline=9.0))),
    ("overfitting", "patience doing its work",
     healthy(record=recorded(TURNED, CALM, stopped="patience"))),
    ("overfitting", "both bounds falling: no overfitting but long steps",
     healthy(record=recorded(TURNED, TURNED))),
    ("under-training", "a long flat end", healthy()),
    ("under-training", "two epochs of thousands of updates",
     healthy(record=recorded(CALM[:2], history=tuple(
         replace(e, updates=5000 * e.epoch) for e in history(CALM[:2]))))),
    ("under-training", "the best epoch long past", healthy(record=recorded(TURNED, CALM))),
    ("loss spikes", "noise of one size",
     healthy(record=recorded([-20, -12, -13, -12, -13, -12, -13, -12, -13, -12.0]))),
    ("loss spikes", "a steep fall that lasts: no spike",
     healthy(record=recorded([*CALM[:5], -40.0, -40.1, -40.2, -40.1, -40.0]))),
    ("loss spikes", "less than a bit",
     healthy(record=recorded([-9.0, -8.9, -8.9, -8.9, -8.9, -9.2, -8.9, -8.9]))),
    ("rate too high", "one wide unit of ten", healthy(belief=belief(spread=(3.0,) + (1.1,) * 9))),
    ("counted data under a density", "reals", healthy()),
    ("counted data under a density", "reals measured to a tenth",
     healthy(cells=(replace(CELL, step=0.1, distinct=90),))),
    ("heavy-tailed weights", "heavy tails that are short by little of a lot",
     healthy(belief=belief(heavy=1.0, last_doubling=2.0, error=20.0, over_baseline=480.0))),
    ("heavy-tailed weights", "a few examples",
     healthy(belief=belief(heavy=0.3, last_doubling=0.5))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "symptoms", "severity"), FOUND)
def test_what_is_wrong_is_found(name: str, symptoms: Symptoms, severity: str) -> None:
    finding = RULES[name](symptoms)
    assert finding is not None and (finding.name, finding.severity) == (name, severity)
    assert finding.words.endswith(".") and finding.remedy.endswith(".")


@pytest.mark.parametrize(("name", "why", "symptoms"), NOT_FOUND)
def test_what_is_right_is_left_alone(name: str, why: str, symptoms: Symptoms) -> None:
    assert RULES[name](symptoms) is None, why


def test_nothing_is_found_in_health() -> None:
    assert [name for name, rule in RULES.items() if rule(healthy())] == []


def test_every_rule_is_tried_both_ways_and_calls_itself_by_its_name() -> None:
    assert {name for name, *_ in FOUND} == {name for name, *_ in NOT_FOUND} == set(RULES)


def test_a_rule_without_its_numbers_is_silent() -> None:
    assert [name for name, rule in RULES.items() if rule(Symptoms(Record(None, 10)))] == []


def test_unused_units_wait_for_training_to_end() -> None:
    seen = belief(variances=(0.9, 0.9, *ASLEEP[2:]))
    assert RULES["unused units"](healthy(belief=seen, record=recorded(RISING))) is None


def test_a_young_run_is_not_called_collapsed_for_good() -> None:
    young = healthy(belief=belief(rate=0.01, variances=ASLEEP), record=recorded(RISING))
    finding = RULES["posterior collapse"](young)
    assert finding is not None and finding.severity == "warning" and "too short" in finding.words


def test_chance_is_that_of_a_poisson_law():
    for count, mean in ((5, 0.5), (3, 0.1), (80, 50.0), (1, 30.0)):
        assert at_least(count, mean) == pytest.approx(poisson.sf(count - 1, mean), rel=1e-9)


def test_a_few_rows_do_not_make_a_column_counted():
    """Of 17 rows every real column has at most 20 values."""
    cells = tuple(replace(CELL, name=n, distinct=17, rows=17) for n in "ab")
    assert counted_data(healthy(cells=cells)) is None
    many = tuple(replace(cell, rows=400) for cell in cells)
    assert counted_data(healthy(cells=many)) is not None


def test_a_young_model_that_says_nothing_is_told_to_train_longer_first():
    """40 updates with a falling learning rate look flat: it was called a collapse for good."""
    epochs = tuple(replace(e, updates=8 * e.epoch) for e in history(CALM, rate=0.04))
    young = healthy(record=replace(healthy().record, history=epochs), belief=belief(rate=0.04))
    found = collapse(young)
    assert found.severity == "warning" and "too short to tell" in found.words
    assert found.remedy.startswith("Longer training")


def test_the_epoch_that_was_kept_is_told_where_it_is_not_the_best():
    best = recorded(TURNED, CALM)
    epochs = tuple(replace(epoch, best=True) for epoch in best.history)
    last = replace(best, history=epochs)
    assert last.kept == epochs[-1] != last.best
    one, other = (overfitting(healthy(record=record)) for record in (best, last))
    assert one is not None and other is not None
    assert f"epoch {best.best.epoch} was kept" in one.words
    assert "--set patience=10" in one.remedy
    assert f"epoch {len(epochs)} was kept" in other.words
    assert "--set keep=best" in other.remedy


def test_a_rate_at_the_floor_of_its_free_bits_is_named():
    """Ten units at .8 nats each, all active, and nothing reconstructed."""
    record = recorded(CALM, free_bits=0.8, annealed=True)
    paid = belief(rate=8.1, swap=6.0, saved=1.3)
    found = RULES["rate not used"](healthy(record=record, belief=paid))
    assert found is not None and "the floor of its free bits" in found.words
    assert "no z (z = 0) 1.3" in found.words
    above = RULES["rate not used"](healthy(record=record, belief=replace(paid, rate=9.0)))
    assert above is not None and "floor of its" not in above.words

"""Latents that say nothing: all of them (collapse), or most (unused)."""

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.rules.training import FEWEST_UPDATES, under_training
from lowerbound.doctor.symptoms import Belief, Structure, Symptoms
from lowerbound.evaluation import ACTIVE_THRESHOLD

#: A code of less than a tenth of a nat cannot tell two examples apart: one bit is 0.69 nats.
COLLAPSED_RATE = 0.1
#: Schott's statistic is standard normal for independent cells; beyond 4.9 by one run in a million.
SURELY = 4.9
#: A latent that explains less than a tenth of the variance of every cell is not worth having,
#: whatever the test says. Dependence that is not linear is not seen here.
WORTH_A_LATENT = 0.1
#: Of this share of units unused, nobody would have asked for so many.
MOST_UNUSED = 0.75
#: With fewer units there is nothing to gain by leaving some out.
FEWEST_UNITS = 8


def collapse(symptoms: Symptoms) -> Finding | None:
    """Find latents that say nothing where there would be something to say."""
    record, belief = symptoms.record, symptoms.belief
    rate = belief.rate if belief else (record.kept.held_out.rate if record.kept else None)
    if rate is None:
        return None
    active = None if belief is None else sum(v > ACTIVE_THRESHOLD for v in belief.variances)
    if rate >= COLLAPSED_RATE and active != 0:
        return None
    if symptoms.structure is not None and not depends(symptoms.structure):
        return None
    words = f"The latents say nothing: the rate is {rate:.2g} nats per example"
    if belief is not None:
        words += f", and {active} of {len(belief.variances)} units are active{_groups(belief)}"
    words += _yet(symptoms.structure)
    updates = record.history[-1].updates if record.history else FEWEST_UPDATES
    young = under_training(symptoms) is not None
    if record.beta <= 1:  # otherwise the weight is the cause, however short the training
        young = young or updates < FEWEST_UPDATES
    remedies: list[str] = []
    if record.beta > 1:
        remedies.append(f"--set beta=1 (it is {record.beta:g})")
    if not record.annealed:
        remedies.append("--set beta_warm_up=0.3, or --set free_bits=0.1 (not for iwae)")
    longer = "longer training with --epochs, or a smaller decoder with --set hidden=128"
    remedies.insert(0 if young else len(remedies), longer)
    if young:
        words += " Training was too short to tell whether that is for good."
    severity = "warning" if young or symptoms.structure is None else "ill"
    text = "; ".join(remedies)
    return Finding("posterior collapse", severity, words, f"{text[:1].upper()}{text[1:]}.")


def unused_units(symptoms: Symptoms) -> Finding | None:
    """Find most units idle, though not asked for by a weight of the rate."""
    belief = symptoms.belief
    if belief is None or len(belief.variances) < FEWEST_UNITS or collapse(symptoms):
        return None
    if under_training(symptoms):  # units wake up one by one
        return None
    # a weighted rate is chosen to leave units idle, and the usual number of them leaves room to
    if symptoms.record.beta > 1 or symptoms.record.usual_latents:
        return None
    units = len(belief.variances)
    active = sum(v > ACTIVE_THRESHOLD for v in belief.variances)
    if units - active < MOST_UNUSED * units:
        return None
    words = (
        f"{units - active} of {units} latent units{_groups(belief)} are unused: their posterior "
        f"mean varies by less than {ACTIVE_THRESHOLD:g} over the examples. Either the data needs "
        "no more, or they fell asleep early in training"
    )
    if symptoms.structure is not None and not depends(symptoms.structure):
        words += ". The cells of the data look independent: there is little for latents to explain"
    fewer = max(1, active + max(1, active // 4))
    remedy = (
        f"Fewer latents: --latents {fewer}; or wake them, --set free_bits=0.1 with a smaller "
        "--set learning_rate=0.0005, and see which is better: lowerbound compare RUN RUN."
    )
    return Finding("unused units", "warning", words + ".", remedy)


def _groups(belief: Belief) -> str:
    """Say how many units of each group are active; nothing where there is one group."""
    parts = []
    for name, place in belief.by_group():
        own = belief.variances[place]
        active = sum(variance > ACTIVE_THRESHOLD for variance in own)
        parts.append(f"{active} of {len(own)} in group {name}" if name else "")
    return f" (active: {', '.join(parts)})" if len(parts) > 1 else ""


def depends(structure: Structure) -> bool:
    """Tell whether cells depend on each other, surely and by so much that a latent would pay."""
    return structure.score > SURELY and structure.strongest > WORTH_A_LATENT


def _yet(structure: Structure | None) -> str:
    if structure is None:
        return ". Without the data it cannot be said whether there is something to say."
    return (
        f". Yet the cells of the data depend on each other: their root mean square correlation is "
        f"{structure.correlation:.2f}, and independent cells would show {structure.chance:.2f}."
    )

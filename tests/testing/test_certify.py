"""Everything the catalogue exports is certified, and a failure is explained in words."""

import pytest
import torch

from lowerbound import objectives, posteriors, priors
from lowerbound.catalogue import recipes
from lowerbound.errors import UnknownNameError
from lowerbound.testing import LIKELIHOODS, NETWORKS, PRIORS, certify, table
from lowerbound.testing.advice import RULES, explain
from lowerbound.testing.certify import KINDS, RECIPE_SCHEMAS, certify_part, parts, prior_part
from planted.priors import _NoConstant, prior_of


def names_of(certificates, kind: str) -> set[str]:
    return {certificate.name for certificate in certificates if certificate.kind == kind}


def test_everything_that_the_packages_export_is_certified_and_holds():
    found = certify()
    assert [certificate.failure for certificate in found if certificate.failure] == []
    assert names_of(found, "prior") == set(priors.__all__) - {"Site"}
    assert names_of(found, "posterior") == set(posteriors.__all__)
    assert names_of(found, "likelihood") == set(LIKELIHOODS)
    assert names_of(found, "network") == set(NETWORKS)
    assert names_of(found, "objective") == set(objectives.__all__) - {"Objective", *table.GUIDES}
    others = {"text-vae", "music-vae", "series-vae", "dmm", "semi-supervised"}  # tests of their own
    assert names_of(found, "recipe") == {recipe.name for recipe in recipes()} - others
    assert {certificate.kind for certificate in found} == set(KINDS.values())
    for certificate in found:
        assert certificate.identities > 0
        assert (certificate.nats or 0.0) < 1e-6
        assert (certificate.standard_errors or 0.0) < 4.9


def test_recipes_are_certified_on_every_kind_of_data():
    assert {name.split()[0] for name in RECIPE_SCHEMAS} == {
        name.split()[0] for name in table.SCHEMAS
    }


def test_names_and_kinds_choose_parts_in_the_order_of_the_table():
    assert [part.name for part in parts(["ELBO", "priors"])] == [*PRIORS, "ELBO"]
    assert len(parts()) == len({(part.kind, part.name) for part in parts()})


def test_an_unknown_name_answers_with_its_neighbour():
    with pytest.raises(UnknownNameError, match="no part 'StandardNormall'; did you mean"):
        certify("StandardNormall")


def test_a_failure_says_what_should_hold_what_was_found_and_the_usual_cause():
    found = certify_part(prior_part("mine", prior_of(_NoConstant)))
    assert found.failure is not None
    for words in ("integrates", "but the integral of p(z) is", "a constant"):
        assert words in found.failure
    assert found.standard_errors > 4.9 and found.identities > 0


def test_a_part_that_raises_anything_fails_and_does_not_stop_the_others():
    def broken(latents: int):
        raise ZeroDivisionError("first\nsecond")

    found = certify_part(prior_part("mine", broken))
    assert found.failure == "the ladder ended with ZeroDivisionError: first second"


def test_progress_counts_the_parts():
    told: list[tuple[int, int]] = []
    certify("priors", progress=lambda done, total: told.append((done, total)))
    assert told == [(done, len(PRIORS)) for done in range(1, len(PRIORS) + 1)]


def test_the_callers_random_state_is_left_alone():
    before = torch.get_rng_state()
    certify("StandardNormal", "ELBO", "Bernoulli", "DiagonalGaussian")
    assert torch.equal(before, torch.get_rng_state())


def test_a_message_that_no_rule_knows_is_told_as_it_is():
    assert explain("the moon is\nmade of cheese") == "the moon is made of cheese"


def test_no_two_rules_say_the_same():
    assert len({rule.cause for rule in RULES}) == len(RULES)

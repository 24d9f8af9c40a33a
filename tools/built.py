"""The site is read again after it was built: a hook of mkdocs (mkdocs.yml names it).

Every link must lead somewhere, every formula must have been drawn, and nothing may be fetched from
elsewhere: the site is whole without a network.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

#: What a browser fetches by itself, and the attribute that says from where.
FETCH = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Reader(HTMLParser):
    """Where a page leads, what it fetches, and which places it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of one element."""
        given = dict(attrs)
        if given.get("id"):
            self.places.add(str(given["id"]))
        if given.get("name") and tag == "a":
            self.places.add(str(given["name"]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag in FETCH and given.get(FETCH[tag]):
            self.fetched.append(str(given[FETCH[tag]]))


def on_post_build(config: Any) -> None:
    """Refuse a site with a dead link, a thing to fetch, or a formula left as it was."""
    found = complaints(Path(config.site_dir))
    if found:
        raise PluginError("\n".join(found))


def complaints(site: Path) -> list[str]:
    """What is wrong with a built site."""
    pages: dict[Path, Reader] = {}
    found = []
    for path in sorted(site.rglob("*.html")):
        reader = Reader()
        text = path.read_text()
        reader.feed(text)
        pages[path.resolve()] = reader
        name = path.relative_to(site)
        if "arithmatex" in text:
            found.append(f"{name}: a formula was not drawn")
        found += [
            f"{name}: fetches {address}"
            for address in reader.fetched
            if re.match(r"(https?:)?//", address)
        ]
    for path, reader in pages.items():
        if path.name == "404.html":
            continue
        for link in reader.links:
            if re.match(r"[a-z]+:", link):
                continue
            address, _, place = link.partition("#")
            target = (path.parent / address).resolve() if address else path
            if not target.exists():
                found.append(f"{path.name}: {link} leads nowhere")
            elif place and target in pages and place not in pages[target].places:
                found.append(f"{path.name}: {link} leads to no such place")
    for style in site.rglob("*.css"):
        if re.search(r"url\([\"']?(https?:)?//", style.read_text()):
            found.append(f"{style.relative_to(site)}: fetches from elsewhere")
    return found

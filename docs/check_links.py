"""Checks links within the built site: `python docs/check_links.py site`.

Each `href` and `src` to a page, picture or style sheet of the site has to name a file that exists, and each fragment
an element of that page. Links to other sites are not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links and element ids of a page.

    Args:
        path: File of the page.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.ids.add(value)


parsed = cache(Page)


def dead_links(site: Path) -> Iterator[str]:
    """Yields a line for each link of a site that leads nowhere.

    Args:
        site: Folder of the built site.
    """
    for path in sorted(site.rglob("*.html")):
        for link in dict.fromkeys(parsed(path).links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{path.relative_to(site)}: {link}: no such file"
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in parsed(target).ids:
                yield f"{path.relative_to(site)}: {link}: no such element"


if __name__ == "__main__":
    dead = list(dead_links(Path(sys.argv[1]).resolve()))
    print("\n".join(dead) or "every link within the site leads to a page")
    sys.exit(bool(dead))

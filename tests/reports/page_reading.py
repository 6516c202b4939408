"""Reads a page as strictly as a browser never does."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Every element closed in order; collects attributes and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def values(self, key):
        return [value for _, name, value in self.attributes if name == key]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def require_nothing_from_outside(text):
    """A page needs no script, no request and no other file, and forbids them to whoever opens it."""
    page = Page(text)
    assert page.values("src") == []
    assert all(link.startswith("#") for link in page.values("href"))
    assert not {"script", "link", "iframe", "object", "img"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in "".join(page.values("content"))


def require_both_themes(text):
    """Every colour of the page has a value by day and by night."""
    light, dark = text.split("prefers-color-scheme: dark", 1)
    for variable in set(re.findall(r"var\((--[\w-]+)", text)) - {"--of"}:
        assert f"{variable}:" in light
        assert f"{variable}:" in dark


def require_ids_that_resolve(text):
    """Every id is there once, and every label that is referred to is there."""
    page = Page(text)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("aria-labelledby")) <= set(ids)

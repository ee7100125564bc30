"""What stands in for axe-core's check of contrast finds all that it finds, and more."""

import pytest
from playwright.sync_api import Page

from e2e.axe import AXE, CONTRAST, RUN
from e2e.contrast import faint_now, faint_texts

FOUND_BY_BOTH = {
    "on the page": "<p style='color: {faint}'>text</p>",
    "on a background of its own": "<p style='background: {ground}'>text</p>",
    "on a mixed one": "<p style='background: color-mix(in srgb, {ground} 60%, {ground})'>text</p>",
    "on that of what it is in": "<div style='background: {ground}'><p>text</p></div>",
    "on a translucent one": "<div style='background: black'><p style='background: rgb(255 255 255 / {part})'>text</p>",
    "translucent itself": "<p style='color: rgb(0 0 0 / {part})'>text</p>",
    "in something translucent": "<div style='opacity: {part}'><p>text</p></div>",
    "over something else": "<div style='height: 40px; background: {ground}'></div><p style='margin: -40px 0'>text",
    "in a field": "<input aria-label='name' value='text' style='color: {faint}; background: white'>",
    "in a button": "<button style='color: black; background: {ground}'>text</button>",
}

FOUND_BY_ONE = {
    "of a placeholder": "<style>::placeholder {{ color: {faint} }}</style><input placeholder='text'>",
    "before a text": "<style>p::before {{ content: 'text'; color: {faint} }}</style><p>text</p>",
    "after a text": "<style>p::after {{ content: 'text'; color: {faint} }}</style><p>text</p>",
}

FAINT = {"faint": "#999", "ground": "#444", "part": 0.4}
CLEAR = {"faint": "#666", "ground": "#bbb", "part": 0.8}


def show(page: Page, body: str) -> None:
    page.set_content(f"<!doctype html><body style='margin: 0; color: black; background: white'>{body}</body>")


def violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[str] = page.evaluate(RUN, {"only": [CONTRAST], "exclude": []})
    return found


@pytest.mark.parametrize("where", FOUND_BY_BOTH)
def test_a_text_that_is_faint_for_axe_is_faint(page: Page, where: str) -> None:
    show(page, FOUND_BY_BOTH[where].format(**FAINT))
    assert len(violations(page)) == len(faint_now(page)) == 1
    show(page, FOUND_BY_BOTH[where].format(**CLEAR))
    assert violations(page) == faint_now(page) == []


@pytest.mark.parametrize("where", FOUND_BY_ONE)
def test_so_is_one_that_axe_does_not_see(page: Page, where: str) -> None:
    show(page, FOUND_BY_ONE[where].format(**FAINT))
    assert len(faint_now(page)) == 1
    show(page, FOUND_BY_ONE[where].format(**CLEAR))
    assert faint_now(page) == []


@pytest.mark.parametrize(("colors", "scheme"), [("#999, white", "light"), ("#666, #444", "dark")])
def test_a_text_may_be_faint_in_the_light_or_in_the_dark(page: Page, colors: str, scheme: str) -> None:
    both = f"color: light-dark({colors}); background: light-dark(white, black)"
    show(page, f"<p style='color-scheme: light dark; {both}'>text</p>")
    (fault,) = faint_texts(page)
    assert fault.startswith(f"{scheme}: P")

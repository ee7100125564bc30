"""Contrast of texts with their background (WCAG 2.2, 1.4.3)."""

from typing import Literal

from playwright.sync_api import Page

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]

FAINT = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    for (const pseudo of [null, "::before"]) {
      const [a, b] = [luminance(parse(getComputedStyle(element, pseudo).color)), luminance(ground(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${pseudo ?? ""} ${ratio.toFixed(2)}`);
    }
  }
  return [...faint];
}"""


def faint_texts(page: Page) -> list[str]:
    """Elements with less contrast than AA requires of small print, light or dark. Filters and opacity are ignored."""
    faint: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        faint += [f"{scheme}: {text}" for text in page.evaluate(FAINT)]
    return faint

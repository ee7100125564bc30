"""Contrast of texts with their background (WCAG 2.2, 1.4.3)."""

from typing import Literal

from playwright.sync_api import Page

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]

FAINT = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = (color.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const most = color.startsWith("color(srgb") ? 255 : 1; // as a mix of colors is given
    return [most * r, most * g, most * b, a];
  };
  const over = ([r, g, b, a], [R, G, B, A]) => {
    const sum = a + A * (1 - a);
    const mix = (top, below) => (sum ? (top * a + below * A * (1 - a)) / sum : 0);
    return [mix(r, R), mix(g, G), mix(b, B), sum];
  };
  const luminance = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const styles = new Map();
  const style = (element) => {
    if (!styles.has(element)) {
      const { backgroundColor, opacity } = getComputedStyle(element);
      styles.set(element, { background: parse(backgroundColor), opacity: Number(opacity) });
    }
    return styles.get(element);
  };
  // What is seen of a color in an element, through the opacity of all that it is in.
  const seen = (color, element) => {
    for (let one = element; one; one = one.parentElement) {
      const { background, opacity } = style(one);
      if (background[3]) color = over(color, background);
      if (opacity < 1) color = [...color.slice(0, 3), color[3] * opacity];
    }
    return over(color, [255, 255, 255, 1]);
  };
  const ground = (element) => seen([0, 0, 0, 0], element);
  // The element behind a text at which it stands, if that is none that it is in.
  const behind = (element, { x, y, width, height }) => {
    const there = document.elementsFromPoint(x + width / 2, y + height / 2);
    const first = there.slice(there.indexOf(element)).find((one) => style(one).background[3]);
    return there.includes(element) && first && !first.contains(element) ? first : null;
  };
  const faint = new Set();
  const judge = (element, box, pseudos) => {
    const colors = new Map([null, ...pseudos].map((pseudo) => [getComputedStyle(element, pseudo).color, pseudo]));
    const other = behind(element, box);
    for (const [named, pseudo] of colors) {
      const color = parse(named);
      const looks = [[seen(color, element), ground(element)]];
      if (other) looks.push([over(color, ground(other)), ground(other)]);
      for (const look of looks) {
        const [a, b] = look.map(luminance);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${pseudo ?? ""} ${ratio.toFixed(2)}`);
      }
    }
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    range.selectNodeContents(texts.currentNode);
    judge(element, range.getBoundingClientRect(), ["::before", "::after"]);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!field.checkVisibility() || field.disabled) continue;
    judge(field, field.getBoundingClientRect(), field.placeholder ? ["::placeholder"] : []);
  }
  return [...faint];
}"""


def faint_texts(page: Page) -> list[str]:
    """Elements with less contrast than AA requires of small print, light or dark."""
    faint: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        faint += [f"{scheme}: {text}" for text in faint_now(page)]
    return faint


def faint_now(page: Page) -> list[str]:
    """Those of the page as it is shown. Images and filters are ignored.

    What a text stands on, without being in it, is known where it is on the screen.
    """
    faint: list[str] = page.evaluate(FAINT)
    return faint

"""Faults that axe-core finds in a page, as it is shown wide and on a phone, in the light and in the dark."""

from importlib.resources import files
from typing import Literal

from playwright.sync_api import Page

from e2e.contrast import faint_texts

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
"""Only the script: the package's wrapper reports less, and is not typed."""

OFF = {"color-contrast-enhanced": "requires 7:1 (AAA), and pages are AA: 4.5:1"}
"""Rules that are off, and why. All others are on, those too that axe-core leaves off by default."""

RUN = """async ({ off, tags, exclude }) => {
  const values = axe.getRules(tags).map(({ ruleId }) => ruleId).filter((ruleId) => !off.includes(ruleId));
  const options = { resultTypes: ["violations"], runOnly: { type: "rule", values } };
  const { violations } = await axe.run({ include: [["html"]], exclude }, options);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}"""

FURTHER_ROWS = [["tbody > tr:nth-child(n + 21)"]]
"""Rows of a long list are alike, and take seconds each time that they are checked."""

LOOKS: list[tuple[int, Literal["light", "dark"], list[str], list[str]]] = [
    (1400, "light", [], []),
    (1400, "dark", ["cat.color"], []),
    (390, "light", [], ["color-contrast"]),
]
"""Widths, schemes, tags of rules (or all), and rules that are off.

In the dark only colors differ, as only `light-dark()` depends on it (tests/test_architecture.py). Most of the time of
axe-core is that of contrast; on a phone, where the same colors are laid out anew, `faint_texts` checks it.
"""


def faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[str] = []
    for width, scheme, tags, off in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate(RUN, {"off": [*OFF, *off], "tags": tags, "exclude": FURTHER_ROWS})
        found += [f"{width} {scheme}: {fault}" for fault in violations]
    return found + faint_texts(page)

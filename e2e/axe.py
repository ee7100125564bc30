"""Faults that axe-core finds in a page, as it is shown wide and on a phone, in the light and in the dark."""

from importlib.resources import files
from typing import Literal

from playwright.sync_api import Page

from e2e.contrast import faint_now

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
"""Only the script: the package's wrapper reports less, and is not typed."""

OFF = {"color-contrast-enhanced": "requires 7:1 (AAA), and pages are AA: 4.5:1"}
"""Rules that are off, and why. All others are on, those too that axe-core leaves off by default."""

RUN = """async ({ off, only, exclude }) => {
  if (only?.length === 0) return [];
  const values = only ?? axe.getRules().map(({ ruleId }) => ruleId).filter((ruleId) => !off.includes(ruleId));
  const options = { resultTypes: ["violations"], runOnly: { type: "rule", values } };
  const { violations } = await axe.run({ include: [["html"]], exclude }, options);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}"""

FURTHER_ROWS = [["tbody:has(> tr:nth-child(21)) > tr:nth-child(n + 7)"]]
"""Rows of a list of more than twenty are alike, and take seconds each time that they are checked."""

CONTRAST = "color-contrast"
"""Takes axe-core as long as all other rules, so where only colors or the layout differ `faint_now` checks it alone."""

DARK = ["link-in-text-block"]
"""The other rule of colors: only these differ in the dark, as tests/test_architecture.py holds."""

LOOKS: list[tuple[int, Literal["light", "dark"], dict[str, list[str]]]] = [
    (1400, "light", {"off": [*OFF]}),
    (1400, "dark", {"only": DARK}),
    (390, "dark", {"only": []}),
    (390, "light", {"off": [*OFF, CONTRAST, "css-orientation-lock"]}),
]
"""Widths, schemes, and all rules but those that are `off`, or `only` these.

Style sheets, which css-orientation-lock reads, are the same at any width.
"""


def faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[str] = []
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate(RUN, {"exclude": FURTHER_ROWS} | rules)
        found += [f"{width} {scheme}: {fault}" for fault in [*violations, *faint_now(page)]]
    return found

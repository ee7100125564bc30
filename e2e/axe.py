"""Faults that axe-core finds in a page, as it is shown wide and on a phone, in the light and in the dark."""

from importlib.resources import files

from playwright.sync_api import Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
"""The script alone: what is around it in the package tells less than the script does, and is not typed."""

OFF = {"color-contrast-enhanced": "asks for 7:1 (AAA), and pages are AA: 4.5:1"}
"""Rules that are off, and why. All others are on, those too that axe-core leaves off by default."""

RUN = """async ({ off, tags }) => {
  const values = axe.getRules(tags).map(({ ruleId }) => ruleId).filter((ruleId) => !off.includes(ruleId));
  const { violations } = await axe.run(document, { resultTypes: ["violations"], runOnly: { type: "rule", values } });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}"""

LOOKS = [(width, scheme) for width in (1400, 390) for scheme in ("light", "dark")]

TAGS = {"light": [], "dark": ["cat.color"]}
"""Of rules: in the dark only colors differ, as only `light-dark()` tells it (tests/test_architecture.py)."""


def faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[str] = []
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        violations = page.evaluate(RUN, {"off": list(OFF), "tags": TAGS[scheme]})
        found += [f"{width} {scheme}: {fault}" for fault in violations]
    return found

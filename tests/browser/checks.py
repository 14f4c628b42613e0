"""What every page must be: accessible, within its window, and visible where the focus is."""

import re
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

DJANGOS = re.compile(r"^aria-prohibited-attr: .*\.help-tooltip")
"""Findings in the markup of Django's admin, which we cannot mend."""
_COVERED = re.compile(r"^target-size: .* partially obscured")
"""What scrolls passes below the bars, which stay."""
_AXE = """async () => {
  const found = await axe.run(document, {
    resultTypes: ["violations"], preload: false, rules: {"target-size": {enabled: true}}});
  return found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.target.flat().join(" ")} ${node.failureSummary.split("\\n")[1].trim()}`));
}"""

# What reaches beyond the window, unless something around it scrolls or cuts it off.
_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const holds = node => {
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return true;
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter(node => {
    const box = node.getBoundingClientRect();
    return box.width && (box.right > width + 1 || box.left < -1) && !holds(node);
  });
  const named = node => node.tagName.toLowerCase() + (node.id ? "#" + node.id : "")
    + [...node.classList].map(name => "." + name).join("");
  return [`${document.documentElement.scrollWidth} > ${width}`, ...wide.slice(-4).map(named)];
}"""

# In forced colours a shadow or a background shows no focus; an outline or a border does.
_UNSEEN_FOCUS = """() => {
  const stops = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")];
  const unseen = [];
  for (const stop of stops) {
    if (stop.disabled || !stop.checkVisibility({visibilityProperty: true})) continue;
    stop.focus({preventScroll: true});
    if (document.activeElement !== stop) continue;
    const style = getComputedStyle(stop);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1)
      unseen.push(stop.outerHTML.slice(0, 120));
  }
  document.activeElement.blur();
  return unseen.slice(0, 5);
}"""

_MOVING = """() => [...document.querySelectorAll("*")].filter(node => {
  const style = getComputedStyle(node);
  const longest = text => Math.max(...text.split(",").map(parseFloat));
  return (style.animationName !== "none" && longest(style.animationDuration) > 0.05)
    || longest(style.transitionDuration) > 0.05;
}).slice(0, 5).map(node => node.outerHTML.slice(0, 120))"""


# A sticky head that sticks to the wrong box lies over the first rows.
_HEADS = """() => [...document.querySelectorAll("table thead")].filter(head =>
  head.checkVisibility() && getComputedStyle(head).position !== "absolute"
  && Math.abs(head.rows[0]?.cells[0]?.getBoundingClientRect().top
              - head.getBoundingClientRect().top) > 4)
  .map(head => head.innerText.slice(0, 80))"""


_ICONS = """async () => {
  const missing = [];
  for (const use of document.querySelectorAll("svg use")) {
    const [place, name] = use.getAttribute("href").split("#");
    window.sprites ??= {};
    window.sprites[place] ??= await (await fetch(place)).text();
    if (!window.sprites[place].includes(`id="${name}"`)) missing.push(name);
  }
  return [...new Set(missing)];
}"""


def missing_icons(page: Page) -> list[str]:
    """Return the names of icons that the sprite does not have."""
    return list(page.evaluate(_ICONS))


def covered_rows(page: Page) -> list[str]:
    """Return heads of tables that lie over rows although nothing is scrolled."""
    page.evaluate("scrollTo(0, 0)")
    return list(page.evaluate(_HEADS))


def violations(page: Page) -> list[str]:
    """Return what axe finds: the rule, the element, and what is wrong."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(_AXE)
    return [each for each in found if not (DJANGOS.match(each) or _COVERED.match(each))]


def wide(page: Page, width: int, direction: str = "") -> list[str]:
    """Return what makes the page scroll sideways in a window of this width, in pixels."""
    page.set_viewport_size({"width": width, "height": 900})
    if direction:
        page.evaluate("direction => { document.documentElement.dir = direction }", direction)
    found: list[Any] = page.evaluate(_WIDE)
    if direction:
        page.evaluate("document.documentElement.dir = 'ltr'")
    return [f"{width} px {direction}: {each}" for each in found]


def unseen_focus(page: Page) -> list[str]:
    """Return controls whose focus nobody sees in forced colours."""
    page.emulate_media(forced_colors="active")
    page.keyboard.press("Tab")
    found = list(page.evaluate(_UNSEEN_FOCUS))
    page.emulate_media(forced_colors="none")
    return found


def moving(page: Page) -> list[str]:
    """Return what moves although the reader has asked for less motion."""
    page.emulate_media(reduced_motion="reduce")
    return list(page.evaluate(_MOVING))

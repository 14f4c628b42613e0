"""README and docs: every link leads somewhere, and every command that they name exists."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.system import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
PICTURES = ROOT / "docs" / "pictures"
LARGEST = 150_000
"""Bytes of a picture."""


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def _links(text: str) -> list[str]:
    """Return what a document's links and pictures lead to, but for other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", _without_code(text))
    return [one or other for one, other in found if "://" not in (one or other)]


def _anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in _links(path.read_text()):
        place, _, anchor = unquote(link).partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in _anchors(target.read_text()), link


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        if path.name != "CHANGELOG.md":
            named = set(
                re.findall(r"`make ([\w-]+)|^make ([\w-]+)", path.read_text(), re.MULTILINE)
            )
            assert {one or other for one, other in named} <= targets, path


def test_pictures_are_small_and_shown_in_both_themes() -> None:
    shown = {
        (path.parent / link).resolve()
        for path in DOCUMENTS
        for link in _links(path.read_text())
        if link.endswith(".webp")
    }
    assert set(PICTURES.glob("*")) == shown
    for path in shown:
        assert path.stat().st_size <= LARGEST, path
        assert path.with_name(path.name.replace("-light", "-dark")) in shown


def test_the_rooms_are_told_in_the_order_of_their_layers() -> None:
    linted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (whole,) = (each for each in linted["contracts"] if each["name"] == "Imports run one way")
    layers = [re.findall(r"[\w.]+", layer) for layer in whole["layers"]]
    text = (ROOT / "docs" / "architecture.md").read_text()
    told = re.findall(r"^\| `([\w/]+)/` \|", text.partition("## The rooms")[2], re.MULTILINE)
    places = [
        next(place for place, layer in enumerate(layers) if room.replace("/", ".") in layer)
        for room in told
        if room != "shop"
    ]
    assert places == sorted(places)
    assert {room.partition("/")[0] for room in told} == set(linted["root_packages"])

"""Collects the texts of the sources in the catalogs of ``locale/``; ``make texts`` runs it.

It needs no gettext tools, because Babel reads Python and JavaScript, and Django turns its templates
into text that Babel can read. Texts that the sources do not have any more are dropped.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
DOMAINS = ("django", "djangojs")
# English needs no catalog, because it is the language of the sources.
LANGUAGES = ("de",)
_NOT_OURS = {"tests", "migrations", "benchmarks", "deploy", "var", "staticfiles", "node_modules"}
_PYTHON: dict[str, Any] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    "npgettext": ((1, "c"), 2, 3),
}
_SCRIPTS: dict[str, Any] = {"t": None, "n": (1, 2)}

Key = tuple[str | None, str, str | None]
"""The context, the text, and its plural."""


def _files(*endings: str) -> Iterator[Path]:
    for ending in endings:
        for path in sorted(ROOT.rglob(f"*{ending}")):
            parts = path.relative_to(ROOT).parts
            if not (set(parts) & _NOT_OURS or any(part.startswith(".") for part in parts)):
                yield path


def _messages(domain: str) -> Iterator[tuple[str, Any, str | None]]:
    """Yield the file, the text or the texts, and the context of each text."""
    if domain == "djangojs":
        for path in _files(".js"):
            source = path.read_bytes()
            if b"texts.js" in source:
                yield from _found(path, "javascript", source, _SCRIPTS)
        return
    for path in _files(".py"):
        source = path.read_bytes()
        if b"gettext" in source:
            yield from _found(path, "python", source, _PYTHON)
    for path in _files(".html", ".txt"):
        if "templates" in path.parts:
            made = templatize(path.read_text(encoding="utf-8"), str(path))
            # It keeps the indentation of the template, which is not that of Python.
            flat = "\n".join(line.lstrip() for line in made.splitlines()) + "\n"
            yield from _found(path, "python", flat.encode(), _PYTHON)


def _found(
    path: Path, method: str, source: bytes, keywords: dict[str, Any]
) -> Iterator[tuple[str, Any, str | None]]:
    name = path.relative_to(ROOT).as_posix()
    for _line, message, _comments, context in extract(
        method, BytesIO(source), keywords=keywords, options={"encoding": "utf-8"}
    ):
        yield name, message, context


def collected(domain: str, language: str = "") -> Catalog:
    """Return the texts of the sources without translations."""
    catalog = Catalog(locale=language or None, domain=domain, fuzzy=False)
    for name, message, context in _messages(domain):
        catalog.add(message, locations=[(name, None)], context=context)  # type: ignore[list-item]
    return catalog


def catalog_path(language: str, domain: str) -> Path:
    """Return the path of a catalog without its ending."""
    return LOCALE / language / "LC_MESSAGES" / domain


def read(language: str, domain: str) -> Catalog:
    """Return the committed catalog, or an empty one."""
    path = catalog_path(language, domain).with_suffix(".po")
    if not path.exists():
        return Catalog(locale=language, domain=domain)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain)


def keyed(catalog: Catalog) -> dict[Key, Any]:
    """Return the messages of a catalog by their keys, without its header."""
    found: dict[Key, Any] = {}
    for message in catalog:
        if message.id:
            one, *many = [message.id] if isinstance(message.id, str) else message.id
            found[(message.context, one, many[0] if many else None)] = message
    return found


def compiled(catalog: Catalog) -> bytes:
    """Return the content of the ``.mo`` file."""
    output = BytesIO()
    # Its header would have the present time.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(output, catalog)
    return output.getvalue()


def written(catalog: Catalog) -> bytes:
    """Return the content of the ``.po`` file, without lines and dates that change by themselves."""
    output = BytesIO()
    write_po(output, catalog, width=100, sort_output=True, omit_header=True, include_lineno=False)
    plural = f'"Plural-Forms: {catalog.plural_forms}\\n"\n'
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n{plural}\n'
    return head.encode() + output.getvalue()


def updated(language: str, domain: str) -> Catalog:
    """Return the texts of the sources with the translations that the committed catalog has."""
    catalog = collected(domain, language)
    before = keyed(read(language, domain))
    for key, message in keyed(catalog).items():
        if key in before:
            message.string = before[key].string
            message.flags = before[key].flags | message.flags
    return catalog


def main() -> None:
    """Write the catalogs anew, and say which texts have no translation yet."""
    missing = 0
    for language in LANGUAGES:
        for domain in DOMAINS:
            catalog = updated(language, domain)
            path = catalog_path(language, domain)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".po").write_bytes(written(catalog))
            path.with_suffix(".mo").write_bytes(compiled(catalog))
            for (_context, text, _plural), message in keyed(catalog).items():
                translated = message.string or ""
                if not all([translated] if isinstance(translated, str) else translated):
                    missing += 1
                    print(f"{language} {domain}: {text}")
    sys.exit(f"{missing} texts have no translation." if missing else 0)


if __name__ == "__main__":
    main()

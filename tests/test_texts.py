"""The catalogs hold every text of the sources, translated, and nothing else."""

import re
from collections.abc import Iterable

import pytest

from tests.texts import DOMAINS, LANGUAGES, catalog_path, collected, compiled, keyed, read, written

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w*)\}")
TAG = re.compile(r"</?\w+[^>]*>")


def strings(text: str | Iterable[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_catalog_is_complete(language: str, domain: str):
    catalog = read(language, domain)
    has, wanted = keyed(catalog), keyed(collected(domain))
    assert wanted
    assert has.keys() - wanted.keys() == set(), "Run `make texts`."
    assert wanted.keys() - has.keys() == set(), "Run `make texts`, and translate."
    assert not catalog.obsolete
    for (_, one, many), message in has.items():
        assert not message.fuzzy, one
        found = strings(message.string)
        assert len(found) == (1 if many is None else catalog.num_plurals)
        for text, source in zip(found, (one, many or one), strict=False):
            assert text.strip(), f"{one!r} has no translation."
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(source)), one
            assert sorted(TAG.findall(text)) == sorted(TAG.findall(source)), one
            assert (text[:1].isspace(), text[-1:].isspace()) == (
                source[:1].isspace(),
                source[-1:].isspace(),
            ), one


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_compiled_catalog_is_that_of_the_source(language: str, domain: str):
    path = catalog_path(language, domain)
    catalog = read(language, domain)
    assert path.with_suffix(".mo").read_bytes() == compiled(catalog), "Run `make texts`."
    assert path.with_suffix(".po").read_bytes() == written(catalog), "Run `make texts`."

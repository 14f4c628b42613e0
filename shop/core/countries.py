"""Countries by their codes of ISO 3166, in the reader's language."""

from unicodedata import normalize

import pycountry
from babel import Locale
from django.utils.translation import get_language


def country_choices() -> list[tuple[str, str]]:
    """Return the codes and names of all countries, by name as the reader's language sorts it."""
    found = [(each.alpha_2, country_name(each.alpha_2)) for each in pycountry.countries]
    return sorted(found, key=lambda choice: normalize("NFKD", choice[1]).casefold())


def country_name(code: str) -> str:
    """Return what a country is called; the code itself if it has no name."""
    names = Locale.parse(get_language() or "en", sep="-").territories
    return str(names.get(code, code))

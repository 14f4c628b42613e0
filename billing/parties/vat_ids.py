"""VAT ids: whether one is well formed, and how it is written."""

import stdnum
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

VAT_ID_MAX_LENGTH = 20
_TYPED_MAX_LENGTH = 40
# Greece has another prefix for its VAT ids than for its addresses.
_GREECE = "EL"
EU_PREFIXES = frozenset(state.upper() for state in eu_vat.MEMBER_STATES - {"gr"}) | {_GREECE}
"""The prefixes that VIES knows. XI is Northern Ireland."""


def written(text: str) -> str:
    """Return a VAT id in one spelling: its prefix and its digits, without blanks or points.

    Raise ``ValueError`` for one that its country could not have given out.
    """
    number = "".join(sign for sign in text.upper() if sign not in " .-/\u2010\u2011\u2013\xa0")
    if not (number.isascii() and number.isalnum() and 4 < len(number) <= _TYPED_MAX_LENGTH):
        raise ValueError(text)
    prefix = _GREECE if number.startswith("GR") else number[:2]
    try:
        if prefix in EU_PREFIXES:
            found = prefix + str(eu_vat.validate(number))[2:]
        else:
            found = _elsewhere(prefix, number)
    except ValidationError as error:
        raise ValueError(text) from error
    if len(found) > VAT_ID_MAX_LENGTH:
        raise ValueError(text)
    return found


def _elsewhere(country: str, number: str) -> str:
    """Return a VAT id of a country outside the EU."""
    module = stdnum.get_cc_module(country.lower(), "vat") if country.isalpha() else None
    if module is None:
        raise ValueError(f"{country} has no VAT ids")
    for text in (number, number[2:]):
        try:
            # Some countries' modules take the prefix away, and others do not know it.
            return country + str(module.validate(text)).removeprefix(country)
        except ValidationError:
            continue
    raise ValueError(f"{number} is not of {country}")


def is_known_to_vies(vat_id: str) -> bool:
    """Return whether VIES can be asked about a VAT id."""
    return vat_id[:2] in EU_PREFIXES

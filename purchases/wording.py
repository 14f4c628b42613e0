"""What people read where a purchase is refused, in the place of the API's sentences."""

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop.core.errors import FieldError

# By field and code; a field of its own sentences, such as an ambiguous price, has no entry.
_WORDS: Mapping[tuple[str | None, str], str | Promise] = {
    ("item", "max_length"): _("An item has at most 200 characters."),
    ("item", "invalid"): _("An item has no characters that turn the writing direction round."),
    ("item", "invalid_characters"): _("An item has no control characters."),
    ("quantity", "invalid"): _("Enter the quantity as a whole number, such as 2."),
    ("quantity", "min_value"): _("Enter a quantity of 1 or more."),
    ("quantity", "max_value"): _("Enter a quantity of 1000000 or less."),
    ("price", "required"): _("Enter the price of one piece."),
    ("price", "min_value"): _("Enter a price of 0 or more."),
    ("price", "max_digits"): _(
        "This price is too large: it has at most 10 digits before the cents."
    ),
    ("price", "max_decimal_places"): _("Enter a price with at most two decimals."),
    ("timestamp", "in_the_future"): _("This time is in the future."),
    ("username", "blank"): _("Enter a username, or leave the field out."),
    ("userid", "userid_conflict"): _("This userid belongs to another username."),
    (None, "throttled"): _("That was too often. Wait a moment, then press Buy again."),
    (None, "idempotency_key_reused"): _(
        "This form was sent before with other values. Look at your purchases, then buy again."
    ),
}


def in_words(errors: Iterable[FieldError]) -> dict[str, str]:
    """Return a sentence for each field, and under ``""`` one for the whole form."""
    return {
        error.attr or "": str(_WORDS.get((error.attr, error.code), error.detail))
        for error in errors
    }

"""Why somebody is not erased."""

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict


class Held(Conflict):
    """The law asks for the account's data."""

    code = "held"
    detail = gettext_noop("The account must not be erased for now, because the law asks for it.")


class AlreadyErased(Conflict):
    """The account is erased already."""

    code = "already_erased"
    detail = gettext_noop("The account is erased already.")

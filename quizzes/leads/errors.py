"""Why an address is not taken."""

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict, NotFound


class ConsentChanged(Conflict):
    """The text that the respondent saw is not that of this version."""

    code = "consent_changed"
    detail = gettext_noop("The text of a consent has changed. Show it again.")


class NotFinished(Conflict):
    """An address belongs to a result."""

    code = "not_finished"
    detail = gettext_noop("Finish the attempt first.")


class NoContact(Conflict):
    """The quiz asks for no address."""

    code = "no_contact"
    detail = gettext_noop("This quiz asks for no address.")


class LinkOver(NotFound):
    """A token is unknown, or its time is over. Nobody is told which."""

    detail = gettext_noop("This link is not valid any more.")

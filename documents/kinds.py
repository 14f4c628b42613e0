"""The kinds of documents, which apps declare, and this app renders, stores and mails.

An app names its kinds in its ``ShopAppConfig``. This app knows no kind.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.emails import verified_address
from accounts.reader import written_for
from documents.models import Document
from documents.rendered import Rendered
from documents.site_settings import REPORTS_KEEP_DAYS
from shop.core.apps import document_kinds
from shop.core.site_settings.general import SITE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail of a document says. ``sender`` is the name beside the site's address."""

    subject: str
    body: str
    sender: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The text of a kind's mail: its subject, one sentence, and the page with the download.

    ``link`` is a path of the site. The greeting and the closing words are the same for every kind.
    """

    subject: str
    sentence: str
    link: str


class Kind(ABC):
    """One kind of document; every method takes a row of this kind."""

    name: ClassVar[str]
    media_type: ClassVar[str] = "application/pdf"
    suffix: ClassVar[str] = ".pdf"
    expendable: ClassVar[bool] = True
    """Whether the oldest files are removed when an account's documents exceed its space."""
    mailed: ClassVar[bool] = True
    """Whether the finished file is mailed; otherwise it is only downloaded."""
    filed: ClassVar[bool] = True
    """Whether there is a file; otherwise the mail is all, and nothing is rendered."""

    def recipient(self, document: Document) -> str | None:
        """Return the address that the document is mailed to, ``None`` where there is none."""
        return verified_address(document.account)

    @abstractmethod
    def is_allowed(self, document: Document) -> bool:
        """Return whether the recipient may still receive the document."""

    @abstractmethod
    def render(self, document: Document, output: Path) -> Rendered:
        """Read the document's data and write its file to ``output``.

        Raise ``RenderingFailed``, or ``OSError`` where the disk is full.
        """

    @abstractmethod
    def words(self, document: Document) -> Words:
        """Return the words of its mail to an account."""

    def letter(self, document: Document, *, attached: bool) -> Letter:
        """Return its mail. ``attached`` is false where the file is too large for one."""
        with written_for(document.account):
            words = self.words(document)
            lines = [
                _("Hello %(name)s,") % {"name": document.account.username},
                "",
                words.sentence,
                _("It is attached to this mail, and you can download it here:")
                if attached
                else _(
                    "It is too large for a mail, so it is not attached. You can download it here:"
                ),
                settings.SITE_URL + words.link,
                "",
                SITE_NAME.value,
            ]
        return Letter(
            subject=f"{SITE_NAME.value}: {words.subject}",
            body="".join(f"{line}\n" for line in lines),
        )

    @abstractmethod
    def stem(self, document: Document) -> str:
        """Return the name of the downloaded file, without the suffix."""

    def message_id(self, document: Document) -> str:
        """Return the Message-ID of its one mail, the same at every attempt."""
        return f"<document-{document.pk}@scalable-shop>"

    def kept(self) -> timedelta:
        """Return the retention time of its file."""
        return timedelta(days=REPORTS_KEEP_DAYS.value)

    def about(self, account_id: int) -> Q | None:
        """Return the condition of others' documents of this kind that tell of the account.

        An erasure of the account removes their files. ``None`` stands for no documents.
        """
        return None

    def file_name(self, document: Document) -> str:
        """Return the name of the downloaded file."""
        return f"{self.stem(document)}{self.suffix}"


@cache
def _by_name() -> dict[str, Kind]:
    found = {kind.name: kind for kind in document_kinds()}
    if len(found) < len(document_kinds()):
        raise ImproperlyConfigured("Two kinds of documents have one name.")
    return found


def kind_of(document: Document) -> Kind:
    """Return the document's kind; raise ``KeyError`` where no app declares it."""
    return _by_name()[document.kind]


def kinds() -> list[Kind]:
    """Return all declared kinds."""
    return list(_by_name().values())


def names() -> list[str]:
    """Return the names of all declared kinds; rows of a newer version may have others."""
    return list(_by_name())

"""The kinds of documents: what an app declares for the machinery to render, store and mail it.

An app names its kinds in its ``ShopAppConfig``. Nothing here knows any of them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from documents.models import Document
from documents.rendered import Rendered
from shop.core.apps import document_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a kind's mail says: its subject, one sentence, and the page where the file can be had.

    ``link`` is a path of the site. The greeting and where the file is are the same for every kind.
    """

    subject: str
    sentence: str
    link: str


class Kind(ABC):
    """One kind of document; every method takes a row of it."""

    name: ClassVar[str]
    media_type: ClassVar[str] = "application/pdf"
    suffix: ClassVar[str] = ".pdf"
    expendable: ClassVar[bool] = True
    """Whether the oldest are removed where an account's documents take more than their space."""

    @abstractmethod
    def is_allowed(self, document: Document) -> bool:
        """Return whether its account may still have what was once requested."""

    @abstractmethod
    def render(self, document: Document, output: Path) -> Rendered:
        """Read what the document is about and write it to ``output``.

        Raise ``RenderingFailed``, or ``OSError`` where the disk is full.
        """

    @abstractmethod
    def words(self, document: Document) -> Words:
        """Return what its mail says."""

    @abstractmethod
    def stem(self, document: Document) -> str:
        """Return the name of its file as its reader sees it, without the suffix."""

    def message_id(self, document: Document) -> str:
        """Return the Message-ID of its one mail, the same at every attempt."""
        return f"<document-{document.pk}@scalable-shop>"

    def kept(self) -> timedelta:
        """Return how long its file is kept."""
        return timedelta(days=settings.DOCUMENT_KEEP_DAYS)

    def file_name(self, document: Document) -> str:
        """Return the name of its file as its reader sees it."""
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
    """Return all kinds there are."""
    return list(_by_name().values())


def names() -> list[str]:
    """Return the names of all kinds; the rows of a newer version may have others."""
    return list(_by_name())

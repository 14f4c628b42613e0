"""The archive of an account's data, as a kind of document."""

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from django.utils.translation import gettext as _

from documents.kinds import Kind, Words
from documents.models import Document
from documents.rendered import Rendered
from shop.core.times import iso


class Export(Kind):
    """Everything that is stored about whoever asks."""

    name = "export"
    media_type = "application/zip"
    suffix = ".zip"
    expendable = False
    # A mailbox is no place for all of it, so it is downloaded by a browser that is signed in.
    mailed = False
    kept_days: ClassVar[int] = 7

    def is_allowed(self, document: Document) -> bool:
        return document.account.is_active

    def render(self, document: Document, output: Path) -> Rendered:
        # Only workers write archives, but the web process imports this module too.
        from personal.archive import archive_write

        return archive_write(document.account, output)

    def words(self, document: Document) -> Words:
        return Words(subject=_("your data"), sentence=_("your data"), link="/accounts/data/")

    def stem(self, document: Document) -> str:
        return f"my-data-{iso(document.created_at)[:10]}"

    def kept(self) -> timedelta:
        return timedelta(days=self.kept_days)

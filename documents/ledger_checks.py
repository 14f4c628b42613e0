"""Invariants of documents, for ``manage.py verify_ledger``."""

import hashlib
from collections.abc import Iterator

from django.db import connection

from documents.kinds import kinds
from documents.storage import store
from shop.core.ledger import LedgerCheck, Say

# Documents whose PDF must be in the store.
_FINISHED = """
SELECT id::text, pdf, sha256, status FROM reports_report
WHERE status IN ('ready', 'sending', 'sent') AND removed_at IS NULL AND kind <> ALL(%s)
"""


def _pdfs(say: Say) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_FINISHED, [[kind.name for kind in kinds() if not kind.filed]])
        documents = cursor.fetchall()
    for id, name, digest, status in documents:
        if not name or not store.exists(name):
            yield f"report {id} is {status} and has no PDF"
            continue
        with store.open(name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            yield f"report {id} is {status} and its PDF has changed since it was made"


CHECKS = (LedgerCheck("Every finished report has its PDF, as it was made.", _pdfs),)

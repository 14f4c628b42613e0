"""The development mail backend: each message becomes one file under ``$DATA_DIR/mail/``."""

import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage


class FileBackend(BaseEmailBackend):
    """Write each message to a file of its own, ``<time>-<random>.eml``, complete or not at all.

    Django's own file backend puts all messages of one connection into one file.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:12]}.eml"
            partial = folder / f".{name}"
            partial.write_bytes(message.message().as_bytes())
            os.replace(partial, folder / name)
        return len(email_messages)

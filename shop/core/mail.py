"""The mail backend of development: each message becomes a file below ``$DATA_DIR/mail/``."""

import errno
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage


class FileBackend(BaseEmailBackend):
    """Write each message to a file of its own, ``<time>-<random>.eml``, atomically.

    Django's own file backend puts all messages of one connection into one file.
    """

    def open(self) -> None:
        """Make the folder. Raise ``OSError`` before any mail is claimed if none can be written."""
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        # Links in mails sign their readers in, so no other user of the machine may read them.
        folder.chmod(0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "No mail can be written", str(folder))

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.open()
        folder = Path(settings.EMAIL_FILE_PATH)
        for message in email_messages:
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:12]}.eml"
            partial = folder / f".{name}"
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.message().as_bytes())
            os.replace(partial, folder / name)
        return len(email_messages)

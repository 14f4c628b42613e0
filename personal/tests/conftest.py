"""Browsers that have signed in just now, and a folder for everything that is written."""

import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from accounts.models import User


def recent(user: User, seconds: float = 0) -> Client:
    """Return a browser whose user gave the password so many seconds ago."""
    user.refresh_from_db()
    session = SessionStore()
    session.update(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
            "account_authentication_methods": [{"method": "password", "at": time.time() - seconds}],
            "account_authentication_methods_user": str(user.pk),
        }
    )
    session.save()
    client = Client()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


@pytest.fixture
def private(settings: Any, tmp_path: Path) -> Path:
    """Keep documents, mails and the journal in a folder of this test."""
    settings.STORAGES = dict(django_settings.STORAGES) | {
        "default": {
            "BACKEND": "documents.storage.DocumentStorage",
            "OPTIONS": {"kind": "file", "location": str(tmp_path / "stored"), "s3": {}},
        }
    }
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.JOURNAL_DIR = tmp_path / "journal"
    return tmp_path

"""Start the site's settings as production would, for tests of what it refuses."""

import os
import runpy
from pathlib import Path

import pytest
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(settings.BASE_DIR)

PRODUCTION = {
    "ENVIRONMENT": "production",
    "DATABASE_ROLE": "owner",
    "POSTGRES_PASSWORD": "a" * 40,
    "POSTGRES_APP_USER": "shop_app",
    "POSTGRES_APP_PASSWORD": "b" * 40,
    "DJANGO_SECRET_KEY": "0123456789" * 6,
    "DATA_KEYS": "k1:" + "A" * 43 + "=",
    "VALKEY_PASSWORD": "c" * 40,
    "SECRET_EMAIL_USER": "shop",
    "SECRET_EMAIL_USER_PSWD": "d" * 40,
    "ALLOWED_HOSTS": "shop.example",
    "SITE_URL": "https://shop.example",
}


def refusal(monkeypatch: pytest.MonkeyPatch, **changes: str) -> str:
    """Return the error of the settings of production with this environment; empty if they load."""
    with monkeypatch.context() as patched:
        for name in list(os.environ):
            patched.delenv(name)
        for name, value in (PRODUCTION | changes).items():
            patched.setenv(name, value)
        logging = structlog.get_config()
        try:
            runpy.run_path(str(ROOT / "shop" / "settings.py"))
        except ImproperlyConfigured as error:
            return str(error)
        finally:
            structlog.configure(**logging)
        return ""

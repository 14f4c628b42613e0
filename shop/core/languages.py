"""The languages that the site speaks, for readers who may prefer others."""

from django.conf import settings


def site_language(language: str) -> str:
    """Return the language of the site that serves a reader of this one."""
    spoken = dict(settings.LANGUAGES)
    base = language.split("-")[0]
    return language if language in spoken else base if base in spoken else settings.LANGUAGE_CODE

"""Settings of the naive design."""

from shop.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.naive"
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    # allauth refuses to start without it.
    "allauth.account.middleware.AccountMiddleware",
]

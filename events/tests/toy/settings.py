"""The site's settings with one line more, for processes of their own."""

from shop.settings import *  # noqa: F403
from shop.settings import INSTALLED_APPS as SHOP

INSTALLED_APPS = [*SHOP, "events.tests.toy"]

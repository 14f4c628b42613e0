"""The site's settings with the toy app, for separate processes."""

from shop.settings import *  # noqa: F403
from shop.settings import INSTALLED_APPS as SHOP

INSTALLED_APPS = [*SHOP, "events.tests.toy"]

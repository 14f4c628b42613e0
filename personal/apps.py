"""The declarations of personal data."""

from shop.core.apps import ShopAppConfig


class PersonalConfig(ShopAppConfig):
    """What is stored of people: the registry of columns, exports, erasures and their journal."""

    name = "personal"
    verbose_name = "Personal data"
    personal_data = "personal.columns.TABLES"

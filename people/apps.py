"""The declarations of people."""

from shop.core.apps import ShopAppConfig


class PeopleConfig(ShopAppConfig):
    """Roles, teams and invitations: who may do what in the shop."""

    name = "people"
    verbose_name = "People"
    personal_data = "people.columns.TABLES"

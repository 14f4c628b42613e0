"""The declarations of people."""

from shop.core.apps import ShopAppConfig


class PeopleConfig(ShopAppConfig):
    """Roles, teams and invitations: who may do what in the shop."""

    name = "people"
    verbose_name = "People"
    personal_data = "people.columns.TABLES"
    audit_actions = ("people.actions.ACTIONS",)
    api_urls = "people.urls"
    page_urls = "people.page_urls"
    beat = {
        "purge-people": {
            "task": "people.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }

"""The declarations of personal data."""

from django.utils.translation import gettext_lazy as _

from shop.core.apps import ShopAppConfig


class PersonalConfig(ShopAppConfig):
    """What is stored of people: the registry of columns, exports, erasures and their journal."""

    name = "personal"
    verbose_name = "Personal data"
    api_urls = "personal.urls"
    page_urls = "personal.page_urls"
    personal_data = "personal.columns.TABLES"
    person_panels = ("personal.panels.erasing_panel",)
    sealed = ("personal.models.SEALED",)
    document_kinds = ("personal.kinds.Export",)
    erased_names = ("personal.tombstones.erased_names",)
    audit_actions = ("personal.actions.ACTIONS",)
    account_pages = {"personal_data": _("Your data")}
    beat = {
        "erase": {
            "task": "personal.erase",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
    }

    def ready(self) -> None:
        from personal import late, narrowed, revoked  # noqa: F401

"""The admin, for whoever may administer accounts by what they have proved."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from accounts.admin_names import translate_names
from accounts.permissions import Permission, allows


class ShopAdminSite(AdminSite):
    """Django's admin, closed to staff whose second factor is missing where one is required."""

    def register(self, model_or_iterable: Any, *args: Any, **options: Any) -> None:
        """Register models, whose names then follow the reader's language."""
        super().register(model_or_iterable, *args, **options)
        several = isinstance(model_or_iterable, Iterable)
        translate_names(model_or_iterable if several else [model_or_iterable])

    def get_urls(self) -> list[Any]:
        """Return the admin's routes without that to a row's page on the site.

        No model names such a page. Django answers this route with 500 for what is no id.
        """
        return [each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"]

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the request's user may enter the admin."""
        permissions = getattr(request.user, "permissions", 0)
        return super().has_permission(request) and allows(permissions, Permission.ACCOUNTS_ADMIN)

"""The admin, for whoever may administer accounts by what they have proved."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from accounts.permissions import Permission, allows


class ShopAdminSite(AdminSite):
    """Django's admin, closed to staff whose second factor is missing where one is required."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the request's user may enter the admin."""
        permissions = getattr(request.user, "permissions", 0)
        return super().has_permission(request) and allows(permissions, Permission.ACCOUNTS_ADMIN)

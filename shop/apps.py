from django.apps import AppConfig


class ShopConfig(AppConfig):
    """What every app may use, and the system checks of the whole project."""

    name = "shop"

    def ready(self) -> None:
        from shop.core import checks, schema  # noqa: F401

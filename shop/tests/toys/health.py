from shop.core.health import Unhealthy

from .models import Toy


def check_toybox() -> None:
    """Raise ``Unhealthy`` if there is no toy."""
    if not Toy.objects.exists():
        raise Unhealthy("the box is empty")

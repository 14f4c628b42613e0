from django.db import models

from shop.core.ids import UUIDv7


class Toy(models.Model):
    """A toy. Rows are only added."""

    # It is installed in a test only, so the checker of types does not make one.
    objects: models.Manager["Toy"] = models.Manager()

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name

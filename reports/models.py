"""Reports: the documents about purchases."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy

from documents.models import Document


class Kind(models.TextChoices):
    """A report's subject: one's own purchases, everybody's, or those of one customer."""

    STATEMENT = "statement"
    SALES = "sales"
    CUSTOMER = "customer_statement", gettext_lazy("statement of a customer")


class Reports(models.Manager["Report"]):
    """A manager of the documents that are reports."""

    def get_queryset(self) -> models.QuerySet["Report"]:
        return super().get_queryset().filter(kind__in=Kind.values)


class Report(Document):
    """A document about the purchases of a period."""

    Kind = Kind
    objects: ClassVar[Reports] = Reports()

    class Meta:
        proxy = True
        ordering = ["-created_at", "-id"]

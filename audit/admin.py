"""What the admin changes."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.services import record


class Audited(admin.ModelAdmin):
    """Records each change of a row in the admin, with the names of its fields."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.has_changed() or not change:
            self._record("changed" if change else "added", request, form.instance, form)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._record("deleted", request, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset:
                self._record("deleted", request, obj)
            super().delete_queryset(request, queryset)

    def _record(self, verb: str, request: HttpRequest, obj: Any, form: Any = None) -> None:
        record(
            f"admin.{verb}",
            object=f"{obj._meta.model_name}:{obj.pk}",
            actor_id=request.user.pk,
            after={"fields": form.changed_data} if form else None,
        )

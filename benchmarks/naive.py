"""The naive design that single purchases are compared with: a REST framework view under Daphne.

Token authentication, a model serializer, one transaction for each request, the same two rows.
"""

import os
import uuid
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.naive_settings"
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import transaction  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import generics, permissions, serializers  # noqa: E402

from events.models import Outbox  # noqa: E402
from purchases.models import Purchase  # noqa: E402


class PurchaseSerializer(serializers.ModelSerializer[Purchase]):
    class Meta:
        model = Purchase
        fields = ["id", "item", "quantity", "price", "currency", "timestamp"]


class CreateView(generics.CreateAPIView[Purchase]):
    serializer_class = PurchaseSerializer
    permission_classes = [permissions.IsAuthenticated]

    @transaction.atomic
    def perform_create(self, serializer: Any) -> None:
        purchase = serializer.save(
            customer=self.request.user, recorded_by=self.request.user, dedupe_key=uuid.uuid4()
        )
        Outbox.objects.create(key=purchase.pk, customer=purchase.customer)


urlpatterns = [path("api/v1/purchases/", CreateView.as_view())]
application = get_asgi_application()

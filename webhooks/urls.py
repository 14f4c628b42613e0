"""The routes of webhooks, below ``/api/v1/``."""

from django.urls import path

from webhooks import api

_ONE = "webhooks/<str:id>/"
_DELIVERY = "webhooks/<str:id>/deliveries/<str:delivery>/"

urlpatterns = [
    path("webhooks/", api.WebhookListView.as_view(), name="api_webhooks"),
    path(_ONE, api.WebhookView.as_view(), name="api_webhook"),
    path(f"{_ONE}test/", api.TestView.as_view(), name="api_webhook_test"),
    path(f"{_ONE}rotate-secret/", api.RotateView.as_view(), name="api_webhook_rotate"),
    path(f"{_ONE}replay/", api.ReplayView.as_view(), name="api_webhook_replay"),
    path(f"{_ONE}deliveries/", api.DeliveryListView.as_view(), name="api_webhook_deliveries"),
    path(_DELIVERY, api.DeliveryView.as_view(), name="api_webhook_delivery"),
    path(f"{_DELIVERY}retry/", api.RetryView.as_view(), name="api_webhook_retry"),
]

"""The pages of webhooks."""

from django.urls import path

from webhooks import pages

urlpatterns = [
    path("webhooks/", pages.webhook_list, name="webhook_list"),
    path("webhooks/<uuid:id>/", pages.webhook, name="webhook"),
]

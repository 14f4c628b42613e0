"""The websocket routes."""

from django.urls import path

from events.consumers import FeedConsumer

urlpatterns = [
    path("ws/purchases/", FeedConsumer.as_asgi()),
    path("ws/events/", FeedConsumer.as_asgi(takes_types=True)),
]

"""The event log's REST routes, below ``/api/v1/``."""

from django.urls import path

from events import api

app_name = "events"
urlpatterns = [
    path("events/", api.EventListView.as_view(), name="events"),
    path("events/types/", api.EventTypeListView.as_view(), name="event_types"),
]

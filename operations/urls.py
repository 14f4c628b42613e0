"""The routes of the operating figures, below ``/api/v1/``."""

from django.urls import path

from operations import api

urlpatterns = [
    path("operations/instances/", api.InstanceListView.as_view(), name="api_instances"),
]

"""The routes of runs, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.runs import api

urlpatterns: list[URLPattern] = [
    path("runs/", api.RunListView.as_view(), name="api_runs"),
    path("runs/<str:id>/", api.RunView.as_view(), name="api_run"),
]

"""The routes of the log, below ``/api/v1/``."""

from django.urls import path

from logs import api

urlpatterns = [
    path("logs/", api.LogListView.as_view(), name="api_logs"),
    path("logs/histogram/", api.LogHistogramView.as_view(), name="api_logs_histogram"),
    path("logs/tail/", api.LogTailView.as_view(), name="api_logs_tail"),
    path("logs/export.jsonl", api.LogExportView.as_view(), name="api_logs_export"),
    path("logs/status/", api.LogStatusView.as_view(), name="api_logs_status"),
    path("logs/<str:id>/around/", api.LogAroundView.as_view(), name="api_logs_around"),
]

"""The routes of settings, below ``/api/v1/``."""

from django.urls import path

from preferences import api

urlpatterns = [
    path("settings/", api.SettingsView.as_view(), name="api_settings"),
    path("settings/history/", api.HistoryView.as_view(), name="api_settings_history"),
    path("settings/restore/", api.RestoreView.as_view(), name="api_settings_restore"),
]

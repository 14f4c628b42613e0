"""The routes of sessions, below ``/api/v1/``."""

from django.urls import path

from accounts.sessions import api

urlpatterns = [
    path("sessions/", api.SessionListView.as_view(), name="api_sessions"),
    path("sessions/end/", api.SessionsEndView.as_view(), name="api_sessions_end"),
    path("sessions/<uuid:id>/", api.SessionView.as_view(), name="api_session"),
]

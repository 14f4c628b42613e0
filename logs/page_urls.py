"""The pages of the log, below ``/``."""

from django.urls import path

from logs import pages

urlpatterns = [
    path("logs/", pages.log, name="log"),
    path("logs/lines/", pages.log_lines, name="log_lines"),
    path("logs/<uuid:id>/", pages.log_line, name="log_line"),
]

"""The dashboard, and the part of it that is read again."""

from django.urls import path

from insight import pages

urlpatterns = [
    path("dashboard/", pages.dashboard, name="dashboard"),
    path("dashboard/figures/", pages.dashboard_figures, name="dashboard_figures"),
]

"""The dashboard, the part of it that is read again, and the statistics."""

from django.urls import path

from insight import pages
from insight.statistics.pages import statistics

urlpatterns = [
    path("dashboard/", pages.dashboard, name="dashboard"),
    path("dashboard/figures/", pages.dashboard_figures, name="dashboard_figures"),
    path("statistics/", statistics, name="statistics"),
]

"""The page of reports."""

from django.urls import path

from reports import pages

urlpatterns = [path("reports/", pages.report_list, name="report_list")]

"""The report routes, below ``/api/v1/``."""

from django.urls import path

from reports import api

urlpatterns = [
    path("reports/", api.ReportListView.as_view(), name="api_reports"),
    path("reports/<str:id>/", api.ReportView.as_view(), name="api_report"),
    path("reports/<str:id>/pdf/", api.ReportPDFView.as_view(), name="api_report_pdf"),
]

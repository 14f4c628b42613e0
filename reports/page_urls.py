"""The page of reports."""

from django.urls import path

from reports import customers, pages

urlpatterns = [
    path("reports/", pages.report_list, name="report_list"),
    # Old userids may have slashes in them.
    path(
        "reports/customers/<path:userid>/", customers.statement_request, name="customer_statement"
    ),
]

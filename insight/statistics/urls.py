"""The routes of the statistics, below ``/api/v1/``."""

from django.urls import path

from insight.statistics import api

urlpatterns = [
    path("statistics/sales/", api.SalesView.as_view(), name="api_statistics_sales"),
    path("statistics/items/", api.ItemsView.as_view(), name="api_statistics_items"),
    path("statistics/customers/", api.CustomersView.as_view(), name="api_statistics_customers"),
    path("statistics/cohorts/", api.CohortsView.as_view(), name="api_statistics_cohorts"),
    path("statistics/weekdays/", api.WeekdaysView.as_view(), name="api_statistics_weekdays"),
    path("statistics/limits/", api.LimitsView.as_view(), name="api_statistics_limits"),
    path("statistics/<str:kind>.csv", api.CsvView.as_view(), name="api_statistics_csv"),
    path("statistics/<str:kind>.xlsx", api.XlsxView.as_view(), name="api_statistics_xlsx"),
]

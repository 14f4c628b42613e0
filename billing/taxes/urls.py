"""The routes of taxes, below ``/api/v1/billing/``."""

from django.urls import URLPattern, path

from billing.taxes import api

urlpatterns: list[URLPattern] = [
    path("tax-rates/", api.TaxRateListView.as_view(), name="billing_tax_rates"),
    path("tax-rates/<str:id>/", api.TaxRateView.as_view(), name="billing_tax_rate"),
    path("item-taxes/", api.ItemTaxListView.as_view(), name="billing_item_taxes"),
    # Items may have slashes.
    path("item-taxes/<path:item>/", api.ItemTaxView.as_view(), name="billing_item_tax"),
]

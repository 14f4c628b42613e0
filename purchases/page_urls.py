"""The pages of the shop."""

from django.urls import path

from purchases import customer_pages, pages

urlpatterns = [
    path("", pages.shop, name="shop"),
    path("purchases/", pages.purchase_list, name="purchase_list"),
    path("customers/", customer_pages.customer_list, name="customer_list"),
    path("customers/export.csv", customer_pages.customer_export, {"kind": "csv"}, "customers_csv"),
    path(
        "customers/export.xlsx", customer_pages.customer_export, {"kind": "xlsx"}, "customers_xlsx"
    ),
    # Old userids may have slashes in them.
    path("customers/<path:userid>/", customer_pages.customer_detail, name="customer"),
    path("purchases/<uuid:id>/", pages.purchase_detail, name="purchase"),
    path("live/", pages.live, name="live"),
]

"""The ledger's REST routes, below ``/api/v1/``.

Some are answered before Django, in the way that ``shop.asgi`` describes. Each route has both
spellings, with and without its trailing slash; ``shop.core.middleware.Slashes`` sees to that.
"""

from django.urls import path

from purchases import api

app_name = "api"
urlpatterns = [
    path("purchases/", api.PurchaseListView.as_view(), name="purchases"),
    path("purchases/bulk/", api.BulkView.as_view(), name="purchases_bulk"),
    path("purchases/export.csv", api.ExportCSVView.as_view(), name="purchases_csv"),
    path("purchases/export.jsonl", api.ExportJSONLView.as_view(), name="purchases_jsonl"),
    path("purchases/export.xlsx", api.ExportXLSXView.as_view(), name="purchases_xlsx"),
    path("purchases/<str:id>/", api.PurchaseView.as_view(), name="purchase"),
]

"""The ledger's REST routes, below ``/api/v1/``, and the original service's.

Some are answered before Django, in the way that ``shop.asgi`` describes. Each route has both
spellings, with and without its trailing slash; ``shop.core.middleware.Slashes`` sees to that.
"""

from django.urls import path

from purchases import api, classic

api_urlpatterns = [
    path("purchases/", api.PurchaseListView.as_view(), name="purchases"),
    path("purchases/bulk/", api.BulkView.as_view(), name="purchases_bulk"),
    path("purchases/export.csv", api.ExportCSVView.as_view(), name="purchases_csv"),
    path("purchases/export.jsonl", api.ExportJSONLView.as_view(), name="purchases_jsonl"),
    path("purchases/export.xlsx", api.ExportXLSXView.as_view(), name="purchases_xlsx"),
    path("purchases/<str:id>/", api.PurchaseView.as_view(), name="purchase"),
    path("events/", api.EventListView.as_view(), name="events"),
]
classic_urlpatterns = [
    path("buy", classic.BuyView.as_view(), name="buy"),
    path(
        "getAllUserBuys/<str:username>",
        classic.GetAllUserBuysView.as_view(),
        name="get_all_user_buys",
    ),
    path("buyList/<str:username>", classic.BuyListView.as_view(), name="buy_list"),
]

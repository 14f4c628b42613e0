"""The original service's routes, below ``/`` and below its prefix."""

from django.urls import path

from purchases import classic

urlpatterns = [
    path("buy", classic.BuyView.as_view(), name="buy"),
    path(
        "getAllUserBuys/<str:username>",
        classic.GetAllUserBuysView.as_view(),
        name="get_all_user_buys",
    ),
    path("buyList/<str:username>", classic.BuyListView.as_view(), name="buy_list"),
]

"""The pages of the shop."""

from django.urls import path

from purchases import pages

urlpatterns = [
    path("", pages.shop, name="shop"),
    path("purchases/", pages.purchase_list, name="purchase_list"),
    path("live/", pages.live, name="live"),
]

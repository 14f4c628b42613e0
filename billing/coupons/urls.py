"""The routes of this part, below ``/api/v1/billing/``."""

from django.urls import path

from billing.coupons.api import (
    CouponCheckView,
    CouponListView,
    CouponPurchaseView,
    CouponView,
)

urlpatterns = [
    path("coupons/", CouponListView.as_view()),
    path("coupons/check/", CouponCheckView.as_view()),
    path("coupons/<str:id>/", CouponView.as_view()),
    path("purchases/", CouponPurchaseView.as_view()),
]

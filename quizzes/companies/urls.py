"""The routes of companies, below ``/api/v1/companies/``."""

from django.urls import path

from quizzes.companies import api

_MEMBER = "<str:company>/members/<str:userid>/"

urlpatterns = [
    path("", api.CompanyListView.as_view(), name="api_companies"),
    path("<str:company>/brand/", api.BrandView.as_view(), name="api_company_brand"),
    path(
        "<str:company>/members/",
        api.CompanyMemberListView.as_view(),
        name="api_company_members",
    ),
    path(_MEMBER, api.CompanyMemberView.as_view(), name="api_company_member"),
]

"""The routes of people, below ``/api/v1/``."""

from django.urls import path

from people import api
from people.second_factors import SecondFactorResetView

urlpatterns = [
    path("permissions/", api.PermissionListView.as_view(), name="api_permissions"),
    path("roles/", api.RoleListView.as_view(), name="api_roles"),
    path("roles/<str:code>/", api.RoleView.as_view(), name="api_role"),
    path("teams/", api.TeamListView.as_view(), name="api_teams"),
    path("teams/<str:id>/", api.TeamView.as_view(), name="api_team"),
    path("teams/<str:id>/members/", api.MemberListView.as_view(), name="api_members"),
    # Userids have no slashes, but for old ones, which are addressed by no API.
    path("teams/<str:id>/members/<str:userid>/", api.MemberView.as_view(), name="api_member"),
    path("teams/<str:id>/invitations/", api.InvitationListView.as_view(), name="api_invitations"),
    path("invitations/accept/", api.AcceptView.as_view(), name="api_accept"),
    path("accounts/", api.AccountListView.as_view(), name="api_accounts"),
    path(
        "accounts/<str:userid>/second-factor/reset/",
        SecondFactorResetView.as_view(),
        name="api_second_factor_reset",
    ),
    path("accounts/<str:userid>/", api.AccountView.as_view(), name="api_account"),
]

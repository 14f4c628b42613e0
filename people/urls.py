"""The routes of people, below ``/api/v1/``."""

from django.urls import path

from people import account_api, role_api, team_api
from people.second_factors import SecondFactorResetView

urlpatterns = [
    path("permissions/", role_api.PermissionListView.as_view(), name="api_permissions"),
    path("roles/", role_api.RoleListView.as_view(), name="api_roles"),
    path("roles/<str:code>/", role_api.RoleView.as_view(), name="api_role"),
    path("teams/", team_api.TeamListView.as_view(), name="api_teams"),
    path("teams/<str:id>/", team_api.TeamView.as_view(), name="api_team"),
    path("teams/<str:id>/members/", team_api.MemberListView.as_view(), name="api_members"),
    # Userids have no slashes, but for old ones, which are addressed by no API.
    path("teams/<str:id>/members/<str:userid>/", team_api.MemberView.as_view(), name="api_member"),
    path(
        "teams/<str:id>/invitations/", team_api.InvitationListView.as_view(), name="api_invitations"
    ),
    path("invitations/accept/", team_api.AcceptView.as_view(), name="api_accept"),
    path("accounts/", account_api.AccountListView.as_view(), name="api_accounts"),
    path(
        "accounts/<str:userid>/second-factor/reset/",
        SecondFactorResetView.as_view(),
        name="api_second_factor_reset",
    ),
    path("accounts/<str:userid>/", account_api.AccountView.as_view(), name="api_account"),
]

"""The pages of people."""

from django.urls import path

from people import invitation_page, pages, role_pages, team_pages

urlpatterns = [
    path("people/", pages.people, name="people"),
    # Old userids may have slashes in them.
    path("people/accounts/<path:userid>/", pages.person, name="person"),
    path(
        "people/second-factor/<path:userid>/",
        pages.reset_second_factor,
        name="person_reset_second_factor",
    ),
    path("people/teams/", team_pages.team_list, name="people_teams"),
    path("people/teams/<str:id>/", team_pages.team, name="people_team"),
    path("people/roles/", role_pages.role_list, name="people_roles"),
    path("people/roles/<str:code>/", role_pages.role, name="people_role"),
    path("people/invitations/<str:token>/", invitation_page.invitation, name="people_invitation"),
]

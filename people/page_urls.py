"""The pages of people."""

from django.urls import path

from people import invitation_page

urlpatterns = [
    path("people/invitations/<str:token>/", invitation_page.invitation, name="people_invitation"),
]

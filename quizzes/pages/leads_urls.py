"""The pages of leads, below ``/quizzes/leads/``."""

from django.urls import path

from quizzes.pages import leads

urlpatterns = [
    path("", leads.lead_list, name="lead_list"),
    path("<str:company>/<uuid:id>/", leads.lead, name="lead"),
]

"""The pages of the operating figures."""

from django.urls import path

from operations import pages

urlpatterns = [
    path("operations/", pages.operations, name="operations"),
    path("operations/figures/", pages.operations_figures, name="operations_figures"),
    path("operations/deploys/<uuid:id>/", pages.deploy_effect, name="deploy_effect"),
]

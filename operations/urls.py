"""The routes of the operating figures, below ``/api/v1/``."""

from django.urls import path

from operations import api

urlpatterns = [
    path("operations/now/", api.NowView.as_view(), name="api_now"),
    path("operations/series/", api.SeriesView.as_view(), name="api_series"),
    path("operations/deploys/", api.DeployListView.as_view(), name="api_deploys"),
    path("operations/deploys/<uuid:id>/effect/", api.EffectView.as_view(), name="api_effect"),
    path("operations/forecast/", api.ForecastView.as_view(), name="api_forecast"),
    path("operations/instances/", api.InstanceListView.as_view(), name="api_instances"),
]

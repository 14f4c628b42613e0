from django.urls import path

from . import api

urlpatterns = [path("toys/", api.ToyListView.as_view(), name="api_toys")]

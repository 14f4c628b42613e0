from django.urls import path

from . import pages

urlpatterns = [path("toys/", pages.toy_list, name="toy_list")]

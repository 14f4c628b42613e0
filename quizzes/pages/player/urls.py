"""The pages for respondents, below ``/q/``."""

from django.urls import path

from quizzes.pages.player import branding, views

urlpatterns = [
    path("<str:slug>/", views.player, name="quiz_player"),
    path("<str:slug>/brand.css", branding.brand, name="quiz_brand"),
    path("<str:slug>/logo.png", branding.logo, name="quiz_logo"),
    path("<str:slug>/embed.js", branding.embed, name="quiz_embed"),
    path("<str:slug>/worker.js", branding.worker, name="quiz_worker"),
]

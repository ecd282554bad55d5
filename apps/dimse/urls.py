"""Routes of the pages about other archives."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.dimse import views

app_name = "dimse"
# What is retrieved becomes a study here.
fetches = allows(Action.CREATE, Noun.STUDY)

urlpatterns = [
    path("", fetches(views.archive_list), name="archives"),
    path("retrievals/", fetches(views.retrieval_list), name="retrievals"),
    path("retrievals/<int:pk>/", fetches(views.retrieval_state), name="retrieval"),
    path("retrievals/<int:pk>/again/", fetches(views.retrieve_again), name="retrieve-again"),
    path("<int:pk>/", fetches(views.archive), name="archive"),
    path("<int:pk>/series/", fetches(views.series), name="series"),
    path("<int:pk>/echo/", fetches(views.test_connection), name="echo"),
    path("<int:pk>/retrieve/", fetches(views.retrieve), name="retrieve"),
]

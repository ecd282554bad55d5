"""Routes of exports."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.exports import film_views, views

app_name = "exports"
sees = allows(Action.VIEW, Noun.EXPORT)
changes = allows(Action.CHANGE, Noun.EXPORT)
exports = allows(Action.EXPORT, Noun.STUDY)

urlpatterns = [
    path("", sees(views.export_list), name="list"),
    path("new/", exports(views.new), name="new"),
    path("profiles/", allows(Action.CREATE, Noun.EXPORT)(views.profiles), name="profiles"),
    path("films/", exports(film_views.ask), name="film"),
    path("<int:pk>/state/", sees(film_views.state), name="film-state"),
    path("<int:pk>/", sees(views.detail), name="detail"),
    path("<int:pk>/progress/", sees(views.progress), name="progress"),
    path("<int:pk>/file/", sees(views.download), name="download"),
    path("<int:pk>/preview/<int:instance>/", sees(views.preview), name="preview"),
    path("<int:pk>/picture/<int:instance>/", sees(views.picture), name="picture"),
    path("<int:pk>/decide/", changes(views.decide_on), name="decide"),
    path("<int:pk>/release/", changes(views.release), name="release"),
    path("<int:pk>/delete/", allows(Action.DELETE, Noun.EXPORT)(views.delete), name="delete"),
    path("<int:pk>/codes/", allows(Action.EXPORT, Noun.EXPORT)(views.codes), name="codes"),
]

"""Routes of quality control."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.quality import views

app_name = "quality"
reads = allows(Action.VIEW, Noun.STUDY)
changes = allows(Action.CHANGE, Noun.STUDY)

urlpatterns = [
    path("", changes(views.inbox), name="inbox"),
    path("conflicts/<int:pk>/", changes(views.conflict), name="conflict"),
    path("studies/<int:pk>/corrections/", reads(views.corrections), name="corrections"),
    path("studies/<int:pk>/correct/", changes(views.correct), name="correct"),
    path("studies/<int:pk>/unmatch/", changes(views.unmatch), name="unmatch"),
    path("corrections/<int:pk>/undo/", changes(views.undo), name="undo"),
]

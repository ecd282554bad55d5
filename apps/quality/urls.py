"""Routes of quality control."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.quality import rejecting, views

app_name = "quality"
reads = allows(Action.VIEW, Noun.STUDY)
changes = allows(Action.CHANGE, Noun.STUDY)
deletes = allows(Action.DELETE, Noun.STUDY)

urlpatterns = [
    path("", changes(views.inbox), name="inbox"),
    path("conflicts/<int:pk>/", changes(views.conflict), name="conflict"),
    path("studies/<int:pk>/corrections/", reads(views.corrections), name="corrections"),
    path("studies/<int:pk>/correct/", changes(views.correct), name="correct"),
    path("studies/<int:pk>/unmatch/", changes(views.unmatch), name="unmatch"),
    path("corrections/<int:pk>/undo/", changes(views.undo), name="undo"),
    path("rejected/", changes(rejecting.rejected), name="rejected"),
    path("rejected/<int:pk>/restore/", deletes(rejecting.bring_back), name="restore"),
    path("studies/<int:pk>/rejections/", reads(rejecting.panel), name="rejections"),
    path("studies/reject/", deletes(rejecting.reject_several), name="reject-several"),
    path("studies/<int:pk>/reject/", deletes(rejecting.reject), name="reject"),
]

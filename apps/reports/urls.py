"""Routes of the reading room."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.reports import picture_views, views

app_name = "reports"
reads = allows(Action.VIEW, Noun.REPORT)
writes = allows(Action.CHANGE, Noun.REPORT)

urlpatterns = [
    path("", writes(views.ReadingList.as_view()), name="reading-list"),
    path("<int:pk>/", writes(views.edit), name="edit"),
    path("<int:pk>/claim/", writes(views.claim), name="claim"),
    path("<int:pk>/take-over/", writes(views.take_over), name="take-over"),
    path("<int:pk>/release/", writes(views.release), name="release"),
    path("<int:pk>/save/", writes(views.save), name="save"),
    path("<int:pk>/next/", writes(views.go_on), name="next"),
    path("<int:pk>/shown/", writes(views.shown), name="shown"),
    path("<int:pk>/sign/", writes(views.sign), name="sign"),
    path("<int:pk>/addendum/", writes(views.addendum), name="addendum"),
    path("<int:pk>/template/", writes(views.template_text), name="template-text"),
    path("<int:pk>/versions/<int:number>.pdf", reads(views.pdf), name="pdf"),
    path("pictures/", writes(picture_views.add), name="add-picture"),
    path("<int:pk>/pictures/", writes(picture_views.fragment), name="pictures"),
    path("<int:pk>/pictures/<int:picture>/", writes(picture_views.content), name="picture"),
    path(
        "<int:pk>/pictures/<int:picture>/caption/",
        writes(picture_views.describe),
        name="describe-picture",
    ),
    path(
        "<int:pk>/pictures/<int:picture>/up/",
        writes(picture_views.move_up),
        name="move-picture-up",
    ),
    path(
        "<int:pk>/pictures/<int:picture>/remove/",
        writes(picture_views.remove),
        name="remove-picture",
    ),
    path("studies/", allows(Action.VIEW, Noun.STUDY)(views.study_states), name="study-states"),
    path(
        "orders/<int:order>/",
        allows(Action.VIEW, Noun.ORDER)(views.order_report),
        name="order-report",
    ),
]

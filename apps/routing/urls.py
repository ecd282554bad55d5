"""Routes of transfers."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.routing import views

app_name = "routing"
sees = allows(Action.VIEW, Noun.TRANSFER)
changes = allows(Action.CHANGE, Noun.TRANSFER)
reads = allows(Action.VIEW, Noun.STUDY)

urlpatterns = [
    path("", sees(views.transfer_list), name="list"),
    path("given-up/", sees(views.given_up_count), name="given-up"),
    path("<int:pk>/", sees(views.detail), name="detail"),
    path("<int:pk>/again/", changes(views.again), name="again"),
    path("<int:pk>/destination/", changes(views.elsewhere), name="destination"),
    path("<int:pk>/drop/", allows(Action.DELETE, Noun.TRANSFER)(views.let_go), name="drop"),
    path("studies/", allows(Action.EXPORT, Noun.STUDY)(views.send_several), name="send-several"),
    path("studies/<int:study>/", reads(views.study_panel), name="study"),
    path("studies/<int:study>/list/", reads(views.study_transfers), name="study-transfers"),
    path("studies/<int:study>/send/", allows(Action.EXPORT, Noun.STUDY)(views.send), name="send"),
]

"""Routes of the 3D workstation."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.viewer import workstation

app_name = "volview"

may_view = allows(Action.VIEW, Noun.STUDY)

urlpatterns = [
    path("", may_view(workstation.page), name="page"),
    path("open/<str:study>/", may_view(workstation.open_study), name="open"),
    path("series/<str:study>/<str:series>.json", may_view(workstation.manifest), name="manifest"),
]

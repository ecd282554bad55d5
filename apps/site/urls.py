"""First set-up, one-time password links, the demo department."""

from django.urls import path

from apps.accounts.access import allows, public
from apps.accounts.policy import Action, Noun
from apps.site import views

app_name = "site"

urlpatterns = [
    path("setup/<str:token>/", public(views.setup), name="setup"),
    path(
        "set-password/<str:uidb64>/<str:token>/",
        public(views.SetPassword.as_view()),
        name="set-password",
    ),
    path("demo/", allows(Action.CREATE, Noun.USER)(views.demo), name="demo"),
]

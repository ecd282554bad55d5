"""Routes of the scripting door, and of the page on which people make tokens for it."""

from django.urls import path

from apps.accounts.access import signed_in
from apps.api.views import tokens

app_name = "api"

urlpatterns = [
    path("account/tokens/", signed_in(tokens.own_tokens), name="tokens"),
    path("account/tokens/<int:pk>/revoke/", signed_in(tokens.revoke), name="revoke-token"),
]

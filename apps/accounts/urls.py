from django.contrib.auth import views as auth_views
from django.urls import path

from apps.accounts import views
from apps.accounts.access import public, signed_in

app_name = "accounts"
login = auth_views.LoginView.as_view(redirect_authenticated_user=True)

urlpatterns = [
    path("login/", public(login), name="login"),
    path("logout/", public(auth_views.LogoutView.as_view()), name="logout"),
    path("password/", signed_in(views.PasswordChange.as_view()), name="password_change"),
]

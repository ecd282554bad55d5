from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.orders import views

app_name = "orders"
see = allows(Action.VIEW, Noun.ORDER)

urlpatterns = [
    path("", see(views.OrderList.as_view()), name="list"),
    path("<int:pk>/", see(views.OrderDetail.as_view()), name="detail"),
    path("<int:pk>/journal/", see(views.journal), name="journal"),
]

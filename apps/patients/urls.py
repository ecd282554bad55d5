from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.patients import views

app_name = "patients"
see = allows(Action.VIEW, Noun.PATIENT)
enter = allows(Action.CREATE, Noun.PATIENT)
change = allows(Action.CHANGE, Noun.PATIENT)

urlpatterns = [
    path("", see(views.PatientList.as_view()), name="list"),
    path("new/", enter(views.PatientCreate.as_view()), name="create"),
    path("duplicates/", enter(views.duplicates), name="duplicates"),
    path("<int:pk>/", see(views.PatientDetail.as_view()), name="detail"),
    path("<int:pk>/edit/", change(views.PatientUpdate.as_view()), name="update"),
]

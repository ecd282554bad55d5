"""Routes of the studies."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.studies import upload_views, views

app_name = "studies"
reads = allows(Action.VIEW, Noun.STUDY)
creates = allows(Action.CREATE, Noun.STUDY)

urlpatterns = [
    path("", reads(views.study_list), name="list"),
    path("upload/", creates(upload_views.page), name="upload"),
    path("upload/files/", creates(upload_views.create), name="upload-create"),
    path("upload/files/<str:key>/", creates(upload_views.piece), name="upload-file"),
    path("upload/batches/<str:batch>/", creates(upload_views.batch), name="upload-batch"),
    path("<int:pk>/", reads(views.detail), name="detail"),
    path("<int:pk>/match/", allows(Action.CHANGE, Noun.STUDY)(views.match), name="match"),
    path(
        "patients/<int:patient>/",
        allows(Action.VIEW, Noun.PATIENT)(views.patient_studies),
        name="patient-studies",
    ),
    path(
        "orders/<int:order>/",
        allows(Action.VIEW, Noun.ORDER)(views.order_studies),
        name="order-studies",
    ),
]

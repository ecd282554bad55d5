"""Routes of the studies."""

from django.urls import path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.studies.views import (
    detail,
    expanding,
    filters,
    instances,
    labelling,
    listing,
    uploading,
)

app_name = "studies"
reads = allows(Action.VIEW, Noun.STUDY)
creates = allows(Action.CREATE, Noun.STUDY)
changes = allows(Action.CHANGE, Noun.STUDY)
takes = allows(Action.EXPORT, Noun.STUDY)

urlpatterns = [
    path("", reads(listing.study_list), name="list"),
    path("arrivals/", reads(listing.arrivals), name="arrivals"),
    path("labels/", changes(labelling.label_several), name="label-several"),
    path("filters/", reads(filters.save), name="filter-save"),
    path("filters/none/", reads(filters.choose_none), name="filter-choose-none"),
    path("filters/<int:pk>/default/", reads(filters.choose), name="filter-choose"),
    path("filters/<int:pk>/remove/", reads(filters.remove), name="filter-remove"),
    path("upload/", creates(uploading.page), name="upload"),
    path("upload/files/", creates(uploading.create), name="upload-create"),
    path("upload/files/<str:key>/", creates(uploading.piece), name="upload-file"),
    path("upload/batches/<str:batch>/", creates(uploading.batch), name="upload-batch"),
    path("series/<int:pk>/", reads(expanding.instances), name="instances"),
    path("instance/<int:pk>/tags/", reads(instances.tags), name="tags"),
    path("instance/<int:pk>/file/", takes(instances.file), name="file"),
    path("<int:pk>/", reads(detail.detail), name="detail"),
    path("<int:pk>/series/", reads(detail.series), name="series"),
    path("<int:pk>/expanded/", reads(expanding.expanded), name="expanded"),
    path("<int:pk>/patient/", reads(expanding.patient), name="patient"),
    path("<int:pk>/match/", changes(detail.match), name="match"),
    path(
        "patients/<int:patient>/",
        allows(Action.VIEW, Noun.PATIENT)(detail.patient_studies),
        name="patient-studies",
    ),
    path(
        "orders/<int:order>/",
        allows(Action.VIEW, Noun.ORDER)(detail.order_studies),
        name="order-studies",
    ),
]

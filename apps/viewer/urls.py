from django.urls import path, re_path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.viewer import documents, elsewhere, key_images, layouts, print_views, regular, views

app_name = "viewer"

may_view = allows(Action.VIEW, Noun.STUDY)
may_read = allows(Action.CHANGE, Noun.REPORT)
may_create = allows(Action.CREATE, Noun.STUDY)

urlpatterns = [
    path("", may_view(views.page), name="page"),
    path("app-config.js", may_view(views.config), name="config"),
    path("open/", may_view(views.open_several), name="open-several"),
    path("open/<str:uids>/", may_view(views.open_studies), name="open"),
    path("layouts/", may_view(layouts.layouts), name="layouts"),
    path("layouts/<int:pk>/remove/", may_view(layouts.remove), name="layout-remove"),
    path("preferences/", may_view(layouts.preferences), name="preferences"),
    path("key-images/<str:study_instance_uid>/", may_view(key_images.panel), name="key-images"),
    path(
        "key-images/<str:study_instance_uid>/marks/", may_view(key_images.marks), name="key-marks"
    ),
    path(
        "key-images/<str:study_instance_uid>/change/",
        may_create(key_images.change),
        name="key-marks-change",
    ),
    path("compare/<str:study_instance_uid>/<str:prior>/", may_view(views.compare), name="compare"),
    path("about/<str:study_instance_uid>/", may_view(views.about), name="about"),
    path("priors/<str:study_instance_uid>/", may_view(views.priors), name="priors"),
    path("next/", may_read(views.next_study), name="next"),
    path("documents/<str:study_instance_uid>/", may_view(documents.documents), name="documents"),
    path("irregular/<str:study_instance_uid>/", may_view(regular.irregular), name="irregular"),
    path("regular/<str:series_instance_uid>/", may_view(regular.progress), name="regular-progress"),
    path(
        "regular/make/<str:series_instance_uid>/",
        may_create(regular.make_regular),
        name="make-regular",
    ),
    path("elsewhere/<str:study>/", may_view(elsewhere.menu), name="elsewhere"),
    path("elsewhere/<str:study>/<int:launcher>/", may_view(elsewhere.launch_study), name="launch"),
    path("send/<str:study>/", allows(Action.EXPORT, Noun.STUDY)(elsewhere.send), name="send"),
    path("print/layout/", may_view(print_views.layout), name="print-layout"),
    path("print/rows/", may_view(print_views.rows), name="print-rows"),
    # The viewer makes up addresses of its own; one with a dot is a file that is not there.
    re_path(r"^(?P<path>[^.]+)$", may_view(views.page), name="inner-page"),
]

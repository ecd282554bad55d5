from django.urls import path, re_path

from apps.accounts.access import allows
from apps.accounts.policy import Action, Noun
from apps.viewer import print_views, views

app_name = "viewer"

may_view = allows(Action.VIEW, Noun.STUDY)

urlpatterns = [
    path("", may_view(views.page), name="page"),
    path("app-config.js", may_view(views.config), name="config"),
    path("open/", may_view(views.open_several), name="open-several"),
    path("open/<str:study_instance_uid>/", may_view(views.open_study), name="open"),
    path("print/layout/", may_view(print_views.layout), name="print-layout"),
    path("print/rows/", may_view(print_views.rows), name="print-rows"),
    # The viewer makes up addresses of its own; one with a dot is a file that is not there.
    re_path(r"^(?P<path>[^.]+)$", may_view(views.page), name="inner-page"),
]

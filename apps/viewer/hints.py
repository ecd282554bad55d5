"""What the browser is told to fetch at once, instead of when the viewer has come to it.

The main bundle runs for a second before it asks for the next files; they are on the way by
then. Named here is what every mode of the pinned version (ohif.json) needs.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.viewer.ohif import BASE

CHUNKS = ("1673", "6938", "6489", "6495", "8478", "89")


def with_hints(page: bytes, studies: Sequence[str]) -> bytes:
    """The viewer's page for these studies, with links to what it will need in its head."""
    links = _links(settings.BUILD_DIR, settings.VIEWER_EXTENSION) + _layouts(studies)
    # Behind the page's own scripts, which are asked for in the order in which they stand.
    return page.replace(b"</head>", links.encode() + b"</head>", 1)


def _layouts(studies: Sequence[str]) -> SafeString:
    """What the viewer waits for before it makes its modes (static/js/viewer/layouts.js)."""
    if not studies:
        return SafeString()
    return format_html(
        '<link rel="preload" as="fetch" crossorigin href="{}?{}">',
        reverse("viewer:layouts"),
        urlencode({"study": studies[0]}),
    )


@functools.cache
def _links(build: Path, extension: str) -> SafeString:
    folder = build / "public" / "viewer"
    chunks = [path.name for one in CHUNKS for path in folder.glob(f"{one}.bundle.*.js")]
    scripts = format_html_join(
        "", '<link rel="preload" as="script" href="{}{}">', ((BASE, name) for name in chunks)
    )
    ours = format_html('<link rel="modulepreload" href="{}">', static(extension))
    return format_html("{}{}", scripts, ours)

"""Static files under names that carry their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """As WhiteNoise has it; our modules find one another by their hashed names too.

    Only ours are searched for imports: other people's comments can look like some.
    """

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns = (
        "js/viewer/*.js",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],  # type: ignore[attr-defined]  # not in the stubs
    )

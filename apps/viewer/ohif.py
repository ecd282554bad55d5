"""What is done to the published OHIF, which is built for the root of a host."""

import re

from apps.viewer.dist import Package, Rewrite

BASE = "/viewer/"
# Replaces each address at which the bundle would ask a host that is not ours.
NOWHERE = "/viewer/unavailable"

PACKAGE = Package(
    name="ohif",
    folder="viewer",
    # The machine-learning runtime (136 MB, needs models from a public hub), service workers
    # and sign-in pages that load third-party scripts, hosting files, and what the views of
    # this room answer themselves.
    left_out=(
        "ort/",
        "app-config.js",
        "es6-shim.min.js",
        "google.js",
        "init-service-worker.js",
        "oidc-client.min.js",
        "polyfill.min.js",
        "serve.json",
        "silent-refresh.html",
        "sw.js",
        "_headers",
        "_redirects",
    ),
    rewrites=(
        # Where the main bundle and its workers look for their chunks.
        Rewrite(
            files="*.js",
            pattern=re.escape('__webpack_require__.p = "/";'),
            by=f'__webpack_require__.p = "{BASE}";',
            count=8,
        ),
        # Run again, it does nothing (static/js/viewer/compiled.js).
        Rewrite(
            files="app.bundle.*.js",
            pattern=r"\A\(\(\) => \{\n",
            by=(
                "(() => {\n"
                "if (globalThis.openpacsGuarded) return;\n"
                "globalThis.openpacsGuarded = true;\n"
            ),
            count=1,
        ),
        Rewrite(
            files="app.bundle.*.js",
            pattern=re.escape("browserImportFunction('/dicom-microscopy-viewer/"),
            by=f"browserImportFunction('{BASE}dicom-microscopy-viewer/",
            count=1,
        ),
        Rewrite(files="app.bundle.css", pattern=r"url\(/", by=f"url({BASE}", count=5),
        Rewrite(files="manifest.json", pattern=r'"/assets/', by=f'"{BASE}assets/', count=9),
        # Third parties: segmentation models, translations, WebAssembly pipelines.
        Rewrite(files="*.js", pattern=r"https://huggingface\.co", by=NOWHERE, count=6),
        Rewrite(files="*.js", pattern=r"https://(api|www)\.locize\.io", by=NOWHERE, count=9),
        Rewrite(files="*.js", pattern=r"https://cdn\.jsdelivr\.net", by=NOWHERE, count=1),
        # The page: our paths; its inline scripts are in app-config.js, so that the viewer's
        # Content-Security-Policy needs no 'unsafe-inline' for scripts.
        Rewrite(
            files="index.html",
            pattern=r'<script[^>]*src="/init-service-worker\.js"></script>',
            by="",
            count=1,
        ),
        Rewrite(files="index.html", pattern=r"<script>.*?</script>", by="", count=2),
        Rewrite(
            files="index.html",
            pattern=r'(src|href|content)="/',
            by=rf'\1="{BASE}',
            count=32,
        ),
    ),
    # What app-config.js and static/js/viewer use by name.
    relied_on=(
        # The configuration.
        "window.browserImportFunction",
        "scriptToView",
        "createLogoComponentFn",
        "httpErrorHandler",
        "ohif.tours",
        "dataSourcesModule",
        "@ohif/mode-longitudinal",
        "leftPanelClosed",
        "enableStudyLazyLoad",
        "bulkDataURI",
        "studyPrefetcher",
        "maxNumRequests",
        # What an extension is, and its hooks.
        "preRegistration",
        "getCommandsModule",
        "onModeEnter",
        "onModeExit",
        "defaultContext",
        # Buttons.
        "getButtonSection",
        "updateSection",
        "ohif.toolButton",
        "evaluate.action",
        "tab-studies",
        "icon-mpr",
        "icon-link",
        # The start.
        "CORNERSTONE_IMAGE_RENDERED",
        "CORNERSTONE_STACK_NEW_IMAGE",
        "generateHash",
        "hotkeysManager",
        "webGlContextCount",
        # Measurements: questions, storing, those nobody has kept.
        "measurement.promptBeginTracking",
        "measurement.promptTrackNewSeries",
        "measurement.promptTrackNewStudy",
        "measurement.promptHydrateStructuredReport",
        "storeMeasurements",
        "hydrateStructuredReport",
        "RAW_MEASUREMENT_ADDED",
        # Segmentations nobody has kept, and the places in the browser's history.
        "generateSegmentation",
        "createStoreFunction",
        "SEGMENTATION_DATA_MODIFIED",
        "idx: index",
        # What is on the screen.
        "viewportGridService",
        "displaySetService",
        "getDisplaySetByUID",
        "getActiveViewportId",
        "displaySetInstanceUIDs",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ),
)

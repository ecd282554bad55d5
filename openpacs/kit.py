"""Copies what pages and PDFs need out of node_modules into build: `python -m openpacs.kit`.

Whole packages hold megabytes of variants nobody is served; only these files are collected.
Style sheets and their fonts keep their places relative to one another, so that the url()s
in them stay right when the static files are hashed. References to files left behind (source
maps, font formats from before woff2) are cut out: hashing refuses a dangling one.
"""

import logging
import re
import shutil
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
MODULES = BASE_DIR / "node_modules"
KIT = BASE_DIR / "build" / "kit"
FONTS = BASE_DIR / "build" / "fonts"  # of signed reports: read by us, never served

# Glob below node_modules -> folder below build/kit.
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler/css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/js",
    "@tabler/icons-webfont/dist/tabler-icons-300.min.css": "icons",
    "@tabler/icons-webfont/dist/fonts/tabler-icons-300.woff2": "icons/fonts",
    "@tabler/icons-webfont/LICENSE": "icons",
    "@fontsource-variable/ibm-plex-sans/wght.css": "plex",
    "@fontsource-variable/ibm-plex-sans/files/*-wght-normal.woff2": "plex/files",
    "@fontsource-variable/ibm-plex-sans/LICENSE": "plex",
    # Names in other scripts than ours; a page fetches what it has characters of.
    **{
        f"@expo-google-fonts/noto-sans-{script}/{weight}/*.ttf": "noto"
        for script in ("thai", "arabic", "jp")
        for weight in ("400Regular", "700Bold")
    },
    "@expo-google-fonts/noto-sans-thai/LICENSE_FONT": "noto",
    "htmx.org/dist/htmx.min.js": "htmx",
    "htmx.org/LICENSE": "htmx",
    # The icons of the 3D workstation.
    "@mdi/font/css/materialdesignicons.min.css": "mdi/css",
    "@mdi/font/fonts/materialdesignicons-webfont.woff2": "mdi/fonts",
    "@mdi/font/LICENSE": "mdi",
}
FONT_FILES = (
    "@expo-google-fonts/noto-sans*/400Regular/*.ttf",
    "@expo-google-fonts/noto-sans*/700Bold/*.ttf",
)
DANGLING = re.compile(
    r"""\s*/[*/]\#\ sourceMappingURL=[^\s*]+(\s*\*/)?   # source maps
      | ,url\("[^"]+\.(woff|ttf)\?[^"]*"\)\ format\("\w+"\)
      | src:url\("[^"]+\.eot\?[^"]*"\);
      | (?<=src:)url\("[^"]+\.eot\?[^"]*"\)\ format\("[\w-]+"\),""",
    re.VERBOSE,
)

log = logging.getLogger(__name__)


def copy_kit(modules: Path = MODULES, kit: Path = KIT) -> int:
    """Fill `kit` anew; returns how many files were copied. Missing files are an error."""
    found = {pattern: sorted(modules.glob(pattern)) for pattern in FILES}
    missing = [pattern for pattern, paths in found.items() if not paths]
    if missing:
        raise FileNotFoundError(f"not in {modules}: {', '.join(missing)}; run npm ci first")
    shutil.rmtree(kit, ignore_errors=True)
    for pattern, paths in found.items():
        target = kit / FILES[pattern]
        target.mkdir(parents=True, exist_ok=True)
        for path in paths:
            _copy(path, target / path.name)
    return sum(len(paths) for paths in found.values())


def copy_fonts(modules: Path = MODULES, fonts: Path = FONTS) -> int:
    """Fill `fonts` anew; returns how many files were copied. None at all is an error."""
    found = [path for pattern in FONT_FILES for path in sorted(modules.glob(pattern))]
    if not found:
        raise FileNotFoundError(f"no Noto fonts in {modules}; run npm ci first")
    shutil.rmtree(fonts, ignore_errors=True)
    fonts.mkdir(parents=True)
    for path in found:
        shutil.copy2(path, fonts / path.name)
    return len(found)


def _copy(source: Path, target: Path) -> None:
    if source.suffix in {".css", ".js"}:
        target.write_text(DANGLING.sub("", source.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copy2(source, target)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        log.info("%d files in %s", copy_kit(), KIT)
        log.info("%d fonts in %s", copy_fonts(), FONTS)
    except FileNotFoundError as problem:
        sys.exit(str(problem))

"""How the published viewer is moved below /viewer/, and how its files are served."""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from django.conf import settings

from apps.viewer import dist
from apps.viewer.dist import REWRITES, Rewrite, Unexpected
from apps.viewer.headers import VIEWER_POLICY_LINE, add_viewer_headers

PAGE = '<script>x</script><script src="/app.bundle.00.js"></script>'
FILES = {
    "index.html": PAGE,
    "app.bundle.00.js": '__webpack_require__.p = "/";' + "// fill\n" * 100,
    "app.bundle.00.js.map": "{}",
    "ort/model.wasm": "x",
    "sw.js": "x",
}
SMALL = (
    Rewrite(files="index.html", pattern="<script>x</script>", by="", count=1),
    Rewrite(files="index.html", pattern='src="/', by='src="/viewer/', count=1),
    Rewrite(files="*.js", pattern=re.escape('p = "/"'), by='p = "/viewer/"', count=1),
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package with its pin, and rewrites for it."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in FILES.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    pin = tmp_path / "pin.json"
    pin.write_text(json.dumps({"integrity": f"sha512-{digest}"}))
    monkeypatch.setattr(dist, "PIN", pin)
    monkeypatch.setattr(dist, "REWRITES", SMALL)
    return path


def test_the_viewer_is_unpacked_rewritten_and_compressed(package: Path, tmp_path: Path) -> None:
    dist.make(package, tmp_path)
    viewer = tmp_path / "public" / "viewer"
    assert sorted(path.name for path in viewer.iterdir()) == [
        "app.bundle.00.js",
        "app.bundle.00.js.gz",
    ]
    text = (viewer / "app.bundle.00.js").read_bytes()
    assert b'p = "/viewer/"' in text
    assert gzip.decompress((viewer / "app.bundle.00.js.gz").read_bytes()) == text
    page = (tmp_path / "viewer" / "index.html").read_text()
    assert page == '<script src="/viewer/app.bundle.00.js"></script>'


def test_another_package_than_the_pinned_one_is_refused(package: Path, tmp_path: Path) -> None:
    package.write_bytes(package.read_bytes() + b"x")
    with pytest.raises(Unexpected, match="not the pinned package"):
        dist.make(package, tmp_path)


def test_a_rewrite_that_finds_another_count_stops_the_install(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist, "REWRITES", (Rewrite(files="*.js", pattern="fill", by="", count=7),))
    with pytest.raises(Unexpected, match=r"100 places .* expected 7"):
        dist.make(package, tmp_path)
    assert not (tmp_path / "public").exists()


def test_every_rewrite_has_a_count() -> None:
    assert all(rewrite.count > 0 for rewrite in REWRITES)


@pytest.mark.parametrize(
    ("url", "immutable"),
    [
        ("/viewer/app.bundle.0f6159c501addfe9.js", True),
        ("/viewer/5130ccb17e3f3f5b.wasm", True),
        ("/static/css/site.0123456789ab.css", True),
        ("/viewer/app.bundle.css", False),
        ("/viewer/1602.css", False),
        ("/static/css/site.css", False),
    ],
)
def test_only_names_with_a_hash_are_kept_for_ever(url: str, immutable: bool) -> None:
    assert bool(re.match(settings.WHITENOISE_IMMUTABLE_FILE_TEST, url)) is immutable


def test_files_of_the_viewer_carry_its_policy_and_others_do_not() -> None:
    headers: dict[str, str] = {}
    add_viewer_headers(headers, "", "/static/site.css")
    assert headers == {}
    add_viewer_headers(headers, "", "/viewer/136.bundle.js")
    assert headers == {"Content-Security-Policy": VIEWER_POLICY_LINE}

"""What the browser is told about the viewer's pages and files.

The viewer needs more than the site's pages: its image decoders (WebAssembly glue) evaluate
strings, it styles inline, and it makes workers and images from blobs. So it has a policy of
its own, for /viewer/ only; scripts and connections still are ours alone.
"""

from collections.abc import MutableMapping

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

VIEWER_POLICY: dict[str, list[str]] = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL],
    "worker-src": [SELF, "blob:"],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:", "blob:"],
    "font-src": [SELF, "data:"],
    "media-src": [SELF, "blob:"],
    "object-src": [SELF, "blob:"],
    "connect-src": [SELF, "blob:", "data:"],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [SELF],
}
VIEWER_POLICY_LINE = "; ".join(f"{name} {' '.join(to)}" for name, to in VIEWER_POLICY.items())


def add_viewer_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """WhiteNoise's hook: a worker obeys the policy its own script came with."""
    if url.startswith("/viewer/"):
        headers["Content-Security-Policy"] = VIEWER_POLICY_LINE

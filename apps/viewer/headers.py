"""What the browser is told about the viewers' pages and files.

The viewer needs more than the site's pages: its image decoders (WebAssembly glue) evaluate
strings, it styles inline, and it makes workers and images from blobs. So it has a policy of
its own, for /viewer/ only; scripts and connections still are ours alone.
"""

from collections.abc import MutableMapping

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE, WASM_UNSAFE_EVAL

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
# The 3D workstation decodes in WebAssembly too, but evaluates no strings.
WORKSTATION_POLICY: dict[str, list[str]] = {
    "default-src": [NONE],
    "script-src": [SELF, WASM_UNSAFE_EVAL],
    "worker-src": [SELF, "blob:"],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:", "blob:"],
    "font-src": [SELF],
    "connect-src": [SELF, "blob:", "data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}


def _line(policy: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {' '.join(to)}" for name, to in policy.items())


VIEWER_POLICY_LINE = _line(VIEWER_POLICY)
POLICIES = {"/viewer/": VIEWER_POLICY_LINE, "/volview/": _line(WORKSTATION_POLICY)}


def add_viewer_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """WhiteNoise's hook: a worker obeys the policy its own script came with."""
    for start, line in POLICIES.items():
        if url.startswith(start):
            headers["Content-Security-Policy"] = line

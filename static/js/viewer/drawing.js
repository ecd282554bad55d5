// How the viewer draws.
/* global cornerstone */

// One WebGL context instead of seven: each is made before the first image and costs time and
// memory, and all of them draw in the same thread. MPR and 3D use one in any case.
const CONTEXTS = 1;

export function prepare() {
  const configuration = cornerstone.getConfiguration();
  const rendering = { ...configuration.rendering, webGlContextCount: CONTEXTS };
  cornerstone.setConfiguration({ ...configuration, rendering });
}

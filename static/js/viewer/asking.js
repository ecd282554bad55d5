// Asking our server to change something, as only a page of ours may.
/* global openpacs */

/** `fetch` with the method POST; `options` are its own. */
export function post(address, { headers, ...options } = {}) {
  const own = { "X-CSRFToken": openpacs.site.csrfToken };
  return fetch(address, { method: "POST", headers: { ...own, ...headers }, ...options });
}

/** The same with `said` as JSON; it arrives also from a window that is being closed. */
export function postJson(address, said) {
  const headers = { "Content-Type": "application/json" };
  return post(address, { headers, body: JSON.stringify(said), keepalive: true });
}

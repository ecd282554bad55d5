// How the page of a report and the viewers of the same browser tell one another what they show.
//
// Messages go to all windows of this browser at this address, and hold no more than needed:
//   desk -> viewers   { kind: "hello", report, narrowed }       I am here; answer what you show
//                     { kind: "open", studies, keep }           show these; keep: same patient
//                     { kind: "close" }                         the images go beside the text
//                     { kind: "kept", inText, changed, offered }   measurements: in the text as they
//                                                               are, with an older line, not yet
//                     { kind: "jump", measurement }             show the image of a measurement
//   viewer -> desks   { kind: "shows", studies }                Study Instance UIDs on the screen
//                     { kind: "measured", measurements }        all there are; see measurements.js
//                     { kind: "removed", measurement }          somebody took one away
//                     { kind: "insert" }                        put all into the text (a key)
//                     { kind: "next" }                          go on to the next exam
//                     { kind: "gone" }                          closed
// Every message has `role` (desk, viewer), `from` (a name of the window for this visit), and
// may have `to`. Viewers say where they are: `frame` is the name of the frame they stand in.

const NAME = "openpacs-reading";

// Join as "desk" or "viewer"; `receive` gets the messages of the other side that are for us.
export function join(role, receive, about = {}) {
  const channel = new BroadcastChannel(NAME);
  // Not randomUUID: that is only there on encrypted connections.
  const from = `${role}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  channel.addEventListener("message", ({ data }) => {
    if (data.role !== role && (!data.to || data.to === from)) receive(data);
  });
  return { from, send: (message) => channel.postMessage({ role, from, ...about, ...message }) };
}

// The upload page: files, folders and ZIP files go up in pieces, a few at a time, and go on
// where they broke off. The server's side is apps/studies/upload_views.py (tus 1.0.0).

const PIECE = 4 * 1024 * 1024;
const AT_ONCE = 3;
const TRIES = 12;

function start(section) {
  const zone = section.querySelector("[data-zone]");
  const desk = new Desk(section);

  for (const input of section.querySelectorAll("[data-files]")) {
    input.addEventListener("change", () => {
      for (const file of input.files) desk.add(file, file.webkitRelativePath || file.name);
      input.value = "";
    });
  }
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("upload-over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("upload-over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("upload-over");
    // Asked for before anything is waited for: afterwards the browser has forgotten them.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    for (const entry of entries.filter(Boolean)) await walk(entry, "", desk);
  });
  for (const button of section.querySelectorAll("[data-forget]")) {
    button.addEventListener("click", async () => {
      await desk.ask("DELETE", button.dataset.forget);
      button.closest("li").remove();
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (desk.busy) event.preventDefault();
  });
}

async function walk(entry, above, desk) {
  const path = above + entry.name;
  if (entry.isFile) {
    desk.add(await new Promise((give, fail) => entry.file(give, fail)), path);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((give, fail) => reader.readEntries(give, fail));
    if (!some.length) return;
    for (const one of some) await walk(one, `${path}/`, desk);
  }
}

function pause(milliseconds) {
  return new Promise((go) => setTimeout(go, milliseconds));
}

function encoded(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

class Refusal extends Error {}

class Desk {
  constructor(section) {
    this.section = section;
    this.said = section.dataset;
    this.list = section.querySelector("[data-list]");
    this.summary = section.querySelector("[data-summary]");
    this.row = section.querySelector("template[data-row]");
    const random = crypto.getRandomValues(new Uint8Array(16));
    this.batch = [...random].map((one) => one.toString(16).padStart(2, "0")).join("");
    this.waiting = [];
    this.running = 0;
    this.all = 0;
    this.done = 0;
    this.stored = new Map(); // files that are up, by the key of their address
    this.watching = false;
  }

  get busy() {
    return this.running > 0 || this.waiting.length > 0;
  }

  add(file, name) {
    const item = this.row.content.firstElementChild.cloneNode(true);
    const part = (what) => item.querySelector(`[data-${what}]`);
    part("name").textContent = name;
    const task = {
      file,
      name,
      item,
      state: part("state"),
      progress: part("progress"),
      link: part("link"),
      lines: part("lines"),
    };
    task.progress.setAttribute("aria-label", name);
    task.state.textContent = this.said.saidWaiting;
    this.list.append(item);
    this.all += 1;
    this.waiting.push(task);
    this.tell();
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.bring(this.waiting.shift()).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async bring(task) {
    task.state.textContent = this.said.saidUploading;
    let tries = 0;
    for (;;) {
      try {
        await this.pieces(task, () => (tries = 0));
        task.state.textContent = this.said.saidStoring;
        this.stored.set(task.address.split("/").at(-2), task);
        this.watch();
        return;
      } catch (error) {
        if (error instanceof Refusal) return this.refuse(task, error.message);
        tries += 1;
        if (tries > TRIES) return this.refuse(task, this.said.saidStopped);
        task.state.textContent = this.said.saidRetrying;
        await pause(Math.min(500 * 2 ** tries, 15000));
      }
    }
  }

  async pieces(task, moved) {
    const { file } = task;
    let offset = task.address ? await this.offset(task) : await this.begin(task);
    this.show(task, offset);
    while (offset < file.size) {
      const answer = await this.ask("PATCH", task.address, {
        headers: { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
        body: file.slice(offset, offset + PIECE),
      });
      // Another request has brought it, or is about to: look again how far it is.
      if (answer.status === 409 || answer.status === 423) throw new Error("elsewhere");
      offset = await this.read(answer);
      moved();
      task.state.textContent = this.said.saidUploading;
      this.show(task, offset);
    }
  }

  async begin(task) {
    const { file, name } = task;
    const chosen = this.section.querySelector("[name=pictures]:checked");
    const said = {
      name,
      batch: this.batch,
      fingerprint: `${name}|${file.size}|${file.lastModified}`.slice(-300),
      patient: this.said.patient,
      procedure: this.said.procedure,
      pictures: chosen ? chosen.value : "",
    };
    const pairs = Object.entries(said).map(([key, value]) => `${key} ${encoded(value)}`);
    const headers = { "Upload-Length": String(file.size), "Upload-Metadata": pairs.join(",") };
    const small = file.size <= PIECE;
    if (small) headers["Content-Type"] = "application/offset+octet-stream";
    const answer = await this.ask("POST", this.said.create, { headers, body: small ? file : null });
    const offset = await this.read(answer);
    task.address = answer.headers.get("Location");
    return offset;
  }

  async offset(task) {
    return this.read(await this.ask("HEAD", task.address));
  }

  // What cannot become right by trying again is a refusal.
  async read(answer) {
    if (answer.ok) return Number(answer.headers.get("Upload-Offset"));
    if (answer.status >= 500 && answer.status !== 507) throw new Error(String(answer.status));
    const said = await answer.json().catch(() => ({}));
    throw new Refusal(said.error || `${this.said.saidStopped} (${answer.status})`);
  }

  ask(method, address, { headers = {}, body = null } = {}) {
    const own = { "X-CSRFToken": this.said.token, "Tus-Resumable": "1.0.0" };
    return fetch(address, { method, headers: { ...own, ...headers }, body });
  }

  show(task, offset) {
    task.progress.value = task.file.size ? (100 * offset) / task.file.size : 100;
  }

  refuse(task, words) {
    task.item.classList.add("upload-refused");
    task.state.textContent = words;
    this.done += 1;
    this.tell();
  }

  async watch() {
    if (this.watching) return;
    this.watching = true;
    while (this.stored.size) {
      await pause(700);
      try {
        const address = this.said.batch.replace("/0/", `/${this.batch}/`);
        const { files } = await (await this.ask("GET", address)).json();
        for (const one of files) if (one.state === "done") this.finish(one);
      } catch {
        // The connection is away: ask again.
      }
    }
    this.watching = false;
  }

  finish({ key, results }) {
    const task = this.stored.get(key);
    if (!task) return;
    this.stored.delete(key);
    const kept = results.filter((one) => one.outcome === "stored" || one.outcome === "known");
    const other = results.filter((one) => !kept.includes(one));
    if (results.length === 1) {
      task.state.textContent = results[0].words;
    } else {
      const known = kept.filter((one) => one.outcome === "known").length;
      task.state.textContent = this.said.saidCounts
        .replace("STORED", String(kept.length - known))
        .replace("KNOWN", String(known))
        .replace("OTHER", String(other.filter((one) => one.outcome !== "skipped").length));
      for (const one of other) this.line(task, one);
    }
    if (!kept.length) task.item.classList.add("upload-refused");
    const study = kept.find((one) => one.study)?.study;
    if (study) {
      task.link.href = this.said.study.replace("/0/", `/${study}/`);
      task.link.textContent = this.said.saidView;
      task.link.hidden = false;
    }
    task.progress.value = 100;
    this.done += 1;
    this.tell();
  }

  line(task, { name, words, outcome }) {
    const made = document.createElement("li");
    made.textContent = `${name}: ${words}`;
    if (outcome === "refused") made.className = "upload-refused";
    task.lines.append(made);
  }

  tell() {
    this.summary.textContent = this.said.saidDone
      .replace("DONE", String(this.done))
      .replace("ALL", String(this.all));
  }
}

const section = document.querySelector("[data-upload]");
if (section) start(section);

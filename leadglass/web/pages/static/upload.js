// Uploading: folders and archives are opened here, each file goes as a request of its own, a few at a time.
"use strict";
(() => {
  const root = document.getElementById("upload");
  if (!root) return;
  const part = (id) => document.getElementById(id);
  const said = root.dataset;
  const LARGEST = Number(said.largest), MOST = Number(said.entries);
  const AT_ONCE = 3, TRIES = 6, SHOWN = 500;
  const counts = { found: 0, stored: 0, refused: 0 };
  const studies = new Set();
  const waiting = [];
  let running = 0, reading = 0, stopped = "", requests = new Set(), wake = null;

  const fill = (text, values) => text.replace(/%(\d)/g, (_, number) => String(values[Number(number) - 1] ?? ""));
  const tell = () => {
    part("progress").hidden = false;
    const done = counts.stored + counts.refused;
    part("all").max = Math.max(counts.found, 1);
    part("all").value = done;
    const over = !running && !waiting.length && !reading;
    part("stop").hidden = over || stopped !== "";
    part("to-studies").hidden = !(over && counts.stored);
    if (studies.size === 1) part("to-studies").href = `/studies/${encodeURIComponent([...studies][0])}`;
    const word = stopped || (over ? (counts.refused ? said.ended : said.endedWell) : reading ? said.reading : said.going);
    part("state").textContent = fill(word, [counts.stored, counts.found, counts.refused]);
  };
  const refuse = (name, why) => {
    counts.refused += 1;
    part("refused-part").hidden = false;
    const list = part("refused");
    if (counts.refused > SHOWN + 1) return tell();
    const item = document.createElement("li");
    if (counts.refused > SHOWN) item.textContent = said.more;
    else {
      const named = document.createElement("bdi");
      named.textContent = name;
      const reason = document.createElement("span");
      reason.className = "why";
      reason.textContent = why;
      item.append(named, reason);
    }
    list.append(item);
    tell();
  };

  // --- one file -------------------------------------------------------------------------------------------------
  const send = (body, bar) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    requests.add(request);
    request.open("POST", "/upload/file");
    request.setRequestHeader("Content-Type", "application/dicom");
    request.setRequestHeader("X-CSRF-Token", said.csrf);
    request.upload.onprogress = (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; };
    request.onloadend = () => { requests.delete(request); resolve(request); };
    request.send(body);
  });
  const pause = (seconds) => new Promise((resolve) => { window.setTimeout(resolve, seconds * 1000); });
  const json = (request) => { try { return JSON.parse(request.responseText); } catch { return {}; } };
  const store = async (name, body, bar) => {
    for (let turn = 1; turn <= TRIES && !stopped; turn += 1) {
      const request = await send(body, bar);
      if (stopped) return;
      const answer = json(request);
      if (request.status === 200) {
        counts.stored += 1;
        if (answer.study && studies.size < 2) studies.add(answer.study);
        return;
      }
      if (request.status === 401 || request.status === 403) { stop(said.signedOut); return; }
      if (request.status === 422) { refuse(name, answer.why || said.failed); return; }
      if (request.status === 413) { refuse(name, said.tooLarge); return; }
      if (![0, 429, 500, 502, 503, 504].includes(request.status)) { refuse(name, said.failed); return; }
      if (turn === TRIES) { refuse(name, request.status ? said.failed : said.network); return; }
      part("state").textContent = said.waiting;
      await pause(Math.min(Number(request.getResponseHeader("Retry-After")) || turn * 2, 30));
    }
  };
  const work = async ({ name, open }) => {
    const item = document.createElement("li");
    const named = document.createElement("bdi");
    named.textContent = name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", name);
    item.append(named, bar);
    part("running").append(item);
    try {
      const body = await open();
      if (body.size === 0) refuse(name, said.empty);
      else if (body.size > LARGEST) refuse(name, said.tooLarge);
      else await store(name, body, bar);
    } catch (error) {
      if (!stopped) refuse(name, error instanceof Refused ? error.message : said.unreadable);
    }
    item.remove();
  };
  const next = () => {
    while (!stopped && running < AT_ONCE && waiting.length) {
      running += 1;
      work(waiting.shift()).finally(() => { running -= 1; if (wake && waiting.length < 200) { wake(); wake = null; } next(); });
    }
    tell();
  };
  const stop = (why) => {
    if (stopped) return;
    stopped = why;
    waiting.length = 0;
    for (const request of requests) request.abort();
    if (wake) { wake(); wake = null; }
    tell();
  };
  const add = async (name, open) => {
    counts.found += 1;
    waiting.push({ name, open });
    next();
    if (waiting.length >= 400) await new Promise((resolve) => { wake = resolve; }); // no folder is listed whole
  };

  // --- archives: the directory at the end of a ZIP (APPNOTE 4.3.12 to 4.3.16), then entry by entry -----------------
  class Refused extends Error {}
  const view = async (file, start, end) => new DataView(await file.slice(start, end).arrayBuffer());
  const whole = (bytes, at) => {
    const number = bytes.getBigUint64(at, true);
    if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw new Refused(said.badZip);
    return Number(number);
  };
  const directory = async (file) => {
    const from = Math.max(0, file.size - 66000);
    const tail = await view(file, from, file.size);
    let at = tail.byteLength - 22;
    while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at -= 1;
    if (at < 0) throw new Refused(said.badZip);
    let [count, size, start] = [tail.getUint16(at + 10, true), tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
    if (at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
      const place = whole(tail, at - 12);
      const record = await view(file, place, place + 56);
      if (record.byteLength < 56 || record.getUint32(0, true) !== 0x06064b50) throw new Refused(said.badZip);
      [count, size, start] = [whole(record, 32), whole(record, 40), whole(record, 48)];
    }
    if (count > MOST || size > MOST * 512) throw new Refused(said.tooMany);
    if (start + size > file.size) throw new Refused(said.badZip);
    return [count, await view(file, start, start + size)];
  };
  const entries = function* (count, bytes) {
    let at = 0;
    for (let number = 0; number < count; number += 1) {
      if (at + 46 > bytes.byteLength || bytes.getUint32(at, true) !== 0x02014b50) throw new Refused(said.badZip);
      const [flags, method] = [bytes.getUint16(at + 8, true), bytes.getUint16(at + 10, true)];
      let [packed, size] = [bytes.getUint32(at + 20, true), bytes.getUint32(at + 24, true)];
      const [named, extra, comment] = [28, 30, 32].map((offset) => bytes.getUint16(at + offset, true));
      let start = bytes.getUint32(at + 42, true);
      const end = at + 46 + named + extra + comment;
      if (end > bytes.byteLength) throw new Refused(said.badZip);
      const name = new TextDecoder(flags & 0x800 ? "utf-8" : "latin1").decode(new Uint8Array(bytes.buffer, bytes.byteOffset + at + 46, named));
      for (let place = at + 46 + named; place + 4 <= at + 46 + named + extra;) {
        const [kind, length] = [bytes.getUint16(place, true), bytes.getUint16(place + 2, true)];
        if (kind === 1) {
          let inner = place + 4;
          const wide = () => { if (inner + 8 > end) throw new Refused(said.badZip); inner += 8; return whole(bytes, inner - 8); };
          if (size === 0xffffffff) size = wide();
          if (packed === 0xffffffff) packed = wide();
          if (start === 0xffffffff) start = wide();
        }
        place += 4 + length;
      }
      yield { name, flags, method, packed, size, start };
      at = end;
    }
  };
  const inflated = async (blob, size) => {
    if (typeof DecompressionStream === "undefined") throw new Refused(said.noZip);
    const reader = blob.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const pieces = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > size) { await reader.cancel(); throw new Refused(said.badZip); } // more than it says: a bomb, or broken
      pieces.push(value);
    }
    if (length !== size) throw new Refused(said.badZip);
    return new Blob(pieces);
  };
  const opened = (file, entry) => async () => {
    if (entry.flags & 1) throw new Refused(said.encrypted);
    if (entry.method !== 0 && entry.method !== 8) throw new Refused(said.method);
    if (entry.size > LARGEST) throw new Refused(said.tooLarge);
    const head = await view(file, entry.start, entry.start + 30);
    if (head.byteLength < 30 || head.getUint32(0, true) !== 0x04034b50) throw new Refused(said.badZip);
    const start = entry.start + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const raw = file.slice(start, start + entry.packed);
    if (raw.size !== entry.packed) throw new Refused(said.badZip);
    const body = entry.method === 0 ? raw : await inflated(raw, entry.size);
    if (await isZip(body)) throw new Refused(said.nested);
    return body;
  };
  const isZip = async (blob) => {
    const head = new Uint8Array(await blob.slice(0, 132).arrayBuffer());
    const letters = (at, text) => [...text].every((letter, number) => head[at + number] === letter.charCodeAt(0));
    return (letters(0, "PK\x03\x04") || letters(0, "PK\x05\x06")) && !letters(128, "DICM");
  };

  // --- what was dropped or chosen --------------------------------------------------------------------------------
  const unwanted = (name) => /(^|\/)(dicomdir|\.[^/]*|thumbs\.db|__macosx\/.*)$/i.test(name);
  const take = async (name, file) => {
    if (stopped || unwanted(name)) return;
    let zipped = false;
    try { zipped = await isZip(file); } catch { counts.found += 1; refuse(name, said.unreadable); return; }
    if (!zipped) { await add(name, async () => file); return; }
    try {
      const [count, bytes] = await directory(file);
      for (const entry of entries(count, bytes)) {
        if (stopped) return;
        if (!entry.name.endsWith("/") && !unwanted(entry.name)) await add(`${name} › ${entry.name}`, opened(file, entry));
      }
    } catch (error) {
      counts.found += 1;
      refuse(name, error instanceof Refused ? error.message : said.badZip);
    }
  };
  const walk = async (entry, path) => {
    if (stopped) return;
    if (entry.isFile) {
      try { await take(path + entry.name, await new Promise((good, bad) => { entry.file(good, bad); })); }
      catch { counts.found += 1; refuse(path + entry.name, said.unreadable); }
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const found = await new Promise((good, bad) => { reader.readEntries(good, bad); });
      if (!found.length) return;
      for (const inner of found) await walk(inner, `${path}${entry.name}/`);
    }
  };
  const begin = async (each) => {
    if (stopped) { stopped = ""; counts.found = counts.stored + counts.refused; }
    reading += 1;
    tell();
    try { await each(); } finally { reading -= 1; next(); }
  };
  const chosen = (input) => begin(async () => {
    for (const file of [...input.files]) await take(file.webkitRelativePath || file.name, file);
    input.value = "";
  });
  for (const id of ["files", "folder"]) {
    part(id).addEventListener("change", (event) => chosen(event.target));
    part(id).addEventListener("focus", () => root.querySelector(`label[for=${id}]`).classList.add("focused"));
    part(id).addEventListener("blur", () => root.querySelector(`label[for=${id}]`).classList.remove("focused"));
  }
  part("stop").addEventListener("click", () => stop(said.stopped));
  const drop = part("drop");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const found = [...event.dataTransfer.items].map((item) => (item.webkitGetAsEntry ? item.webkitGetAsEntry() : null)).filter(Boolean);
    const files = [...event.dataTransfer.files];
    begin(async () => {
      if (found.length) for (const entry of found) await walk(entry, "");
      else for (const file of files) await take(file.name, file);
    });
  });
  window.addEventListener("beforeunload", (event) => { if (running || waiting.length) event.preventDefault(); });
})();

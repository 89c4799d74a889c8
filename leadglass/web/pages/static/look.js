// The quick look: frames as pictures, some of them fetched ahead; no canvas, no WebGL.
"use strict";
(() => {
  const root = document.getElementById("look");
  const stage = document.getElementById("stage");
  if (!root || !stage) return;
  const part = (id) => document.getElementById(id);
  const [slider, where, trouble, cine, speed, presets, zoom] =
    ["frame", "where", "trouble", "cine", "speed", "window", "zoom"].map(part);
  const said = root.dataset;

  // "UID*FRAMES@PLACE ..." as the server wrote it.
  const frames = [];
  for (const one of said.frames.split(" ")) {
    const [named, place] = one.split("@");
    const [uid, count] = named.split("*");
    for (let number = 1; number <= Number(count) && frames.length < 50000; number += 1) frames.push({ uid, number, place });
  }
  const last = frames.length - 1;
  const AHEAD = 8, BEHIND = 3, AT_ONCE = 4, KEPT = 300;
  let at = Math.min(Number(said.at) - 1, last);
  let direction = 1, timer = 0, pulled = 0, real = false;

  const size = () => {
    if (real) return "";
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    const side = Math.max(256, Math.min(2048, Math.ceil(Math.max(stage.clientWidth, stage.clientHeight) * dense / 256) * 256));
    if (Number(said.side) && side >= Number(said.side)) return ""; // as large as it is: nothing is gained by enlarging it
    return `viewport=${side},${side}`;
  };
  let asked = size();
  const address = (index) => {
    const { uid, number } = frames[index];
    const query = [asked, presets.value && `window=${encodeURIComponent(presets.value)}`].filter(Boolean).join("&");
    const path = [said.study, said.series, uid].map(encodeURIComponent);
    return `/dicom-web/studies/${path[0]}/series/${path[1]}/instances/${path[2]}/frames/${number}/rendered?${query}`;
  };

  // Pictures by address, the one used last at the end; those wanted first are fetched first.
  const kept = new Map();
  const running = new Set();
  let queue = [];
  const picture = (index) => {
    const url = address(index);
    const found = kept.get(url);
    if (found) { kept.delete(url); kept.set(url, found); }
    return found;
  };
  const fetchNext = () => {
    while (running.size < AT_ONCE && queue.length) {
      const index = queue.shift();
      const url = address(index);
      if (kept.has(url) || running.has(url)) continue;
      running.add(url);
      const image = new Image();
      image.alt = "";
      image.draggable = false;
      image.decoding = "async";
      const done = (good) => {
        running.delete(url);
        if (good) {
          kept.set(url, image);
          if (kept.size > KEPT) kept.delete(kept.keys().next().value);
        }
        if (index === at && url === address(at)) good ? put(image) : fail();
        fetchNext();
      };
      image.onload = () => image.decode().then(() => done(true), () => done(true));
      image.onerror = () => done(false);
      image.src = url;
    }
  };
  const wanted = () => {
    const order = [at];
    for (let step = 1; step <= AHEAD; step += 1) order.push(at + step * direction);
    for (let step = 1; step <= BEHIND; step += 1) order.push(at - step * direction);
    return order.filter((index) => index >= 0 && index <= last);
  };
  const put = (image) => {
    const shown = stage.querySelector("img");
    image.id = "picture";
    image.alt = text();
    if (shown !== image) { if (shown) { shown.removeAttribute("id"); shown.replaceWith(image); } else stage.prepend(image); }
    trouble.hidden = true;
  };
  const fail = () => { trouble.textContent = said.broken; trouble.hidden = false; };
  const text = () => {
    const place = frames[at].place;
    const line = said.where.replace("%1", String(at + 1)).replace("%2", String(frames.length));
    return place ? `${line} · ${said.place.replace("%1", place)}` : line;
  };
  const show = (index) => {
    const next = Math.max(0, Math.min(last, index));
    if (next !== at) direction = next > at ? 1 : -1;
    at = next;
    slider.value = String(at + 1);
    slider.setAttribute("aria-valuetext", text());
    where.textContent = text();
    const found = picture(at);
    if (found) put(found);
    queue = wanted();
    fetchNext();
  };
  const again = () => { asked = size(); show(at); };

  const play = (on) => {
    window.clearInterval(timer);
    timer = on ? window.setInterval(() => {
      const next = at === last ? 0 : at + 1;
      if (kept.has(address(next))) show(next);
      else { queue = [next, ...wanted()]; direction = 1; fetchNext(); } // waits for what is not here yet
    }, 1000 / Number(speed.value)) : 0;
    where.setAttribute("aria-live", on ? "off" : "polite");
    cine.setAttribute("aria-pressed", String(on));
    cine.textContent = on ? said.stop : said.play;
  };
  const magnify = () => {
    real = !real;
    stage.classList.toggle("real", real);
    zoom.setAttribute("aria-pressed", String(real));
    zoom.textContent = real ? said.fit : said.real;
    again();
  };

  slider.addEventListener("input", () => show(Number(slider.value) - 1));
  cine.addEventListener("click", () => play(!timer));
  speed.addEventListener("change", () => { if (timer) play(true); });
  presets.addEventListener("change", again);
  zoom.addEventListener("click", magnify);
  let resized = 0;
  window.addEventListener("resize", () => { window.clearTimeout(resized); resized = window.setTimeout(again, 200); });
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey || real) return;
    event.preventDefault();
    pulled += event.deltaMode === 1 ? event.deltaY * 40 : event.deltaY;
    const steps = Math.trunc(pulled / 40);
    if (steps) { pulled -= steps * 40; show(at + steps); }
  }, { passive: false });

  // A finger, or a pressed mouse, drawn up or down goes through the frames.
  let grip = null;
  stage.addEventListener("pointerdown", (event) => { if (event.isPrimary && !real) grip = { y: event.clientY, id: event.pointerId }; });
  stage.addEventListener("pointermove", (event) => {
    if (!grip || event.pointerId !== grip.id) return;
    const step = Math.max(6, Math.min(24, stage.clientHeight / Math.max(frames.length, 1)));
    const steps = Math.trunc((event.clientY - grip.y) / step);
    if (steps) { grip.y += steps * step; stage.setPointerCapture(grip.id); show(at + steps); }
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { grip = null; });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const busy = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
    const pressing = event.target instanceof HTMLElement && event.target.matches("a, button");
    const moves = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (event.key in moves && !busy) {
      event.preventDefault();
      show(at + moves[event.key]);
    } else if (event.key === " " && !busy && !pressing) {
      event.preventDefault();
      play(!timer);
    } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !busy) {
      const link = part(event.key === "ArrowLeft" ? "before" : "after");
      if (link) link.click();
    } else if (event.key === "f" && !busy) {
      magnify();
    } else if (/^[1-9]$/.test(event.key) && !busy && presets.options[Number(event.key) - 1]) {
      presets.selectedIndex = Number(event.key) - 1;
      again();
    }
  });

  if (last > 0) { cine.hidden = false; part("speed-label").hidden = false; }
  if (presets.options.length > 1) part("window-label").hidden = false;
  zoom.hidden = false;
  where.setAttribute("aria-live", "polite");
  show(at);
})();

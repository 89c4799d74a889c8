// Quick look: arrow keys, wheel and slider change the picture without another page. Without this, links do.
"use strict";
(() => {
  const look = document.getElementById("look");
  if (!look) return;
  const picture = document.getElementById("picture");
  const slider = document.getElementById("image");
  const preset = document.getElementById("window");
  const place = document.getElementById("place");
  const frames = JSON.parse(look.dataset.images).flatMap(([uid, count]) =>
    Array.from({ length: Math.min(count, 20000) }, (_, index) => [uid, index + 1]));
  let number = Number(look.dataset.number);
  let wanted = 0;
  const address = (at) => {
    const [uid, frame] = frames[at - 1];
    const query = preset.value ? `?window=${encodeURIComponent(preset.value)}` : "";
    return `${look.dataset.root}${uid}/frames/${frame}/rendered${query}`;
  };
  const loading = () => wanted !== 0;
  const load = () => {
    wanted = number;
    picture.src = address(number);
  };
  const show = (at) => {
    number = Math.min(Math.max(at, 1), frames.length);
    slider.value = String(number);
    place.textContent = `${number} / ${frames.length}`;
    if (!loading()) load();
  };
  const done = () => {
    const behind = wanted !== number;
    wanted = 0;
    if (behind) load();
  };
  picture.addEventListener("load", done);
  picture.addEventListener("error", done);
  slider.addEventListener("input", () => show(Number(slider.value)));
  preset.addEventListener("change", load);
  look.addEventListener("wheel", (event) => {
    event.preventDefault();
    show(number + Math.sign(event.deltaY));
  }, { passive: false });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea, button, a")) return;
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(number + step);
  });
  for (const [id, step] of [["before", -1], ["after", 1]]) {
    const link = document.getElementById(id);
    if (link) link.addEventListener("click", (event) => { event.preventDefault(); show(number + step); });
  }
  document.getElementById("show").hidden = true;
})();

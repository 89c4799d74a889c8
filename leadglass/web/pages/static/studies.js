// The list of studies: the search comes back with the back button, and keys go through the rows.
"use strict";
(() => {
  const form = document.getElementById("search");
  if (!form) return;
  const text = document.getElementById("text");
  const names = ["text", "name", "patient_id", "accession", "description", "modalities", "since", "until", "order"];
  const KEPT = "leadglass-search"; // of this tab alone; signing out empties it
  const read = () => Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
  const plain = JSON.stringify(read());

  form.addEventListener("htmx:afterRequest", () => {
    try { sessionStorage.setItem(KEPT, JSON.stringify(read())); } catch { /* no storage: nothing comes back */ }
  });
  const cameBack = performance.getEntriesByType("navigation").some((entry) => entry.type === "back_forward");
  try {
    const kept = sessionStorage.getItem(KEPT);
    if (cameBack && kept && kept !== plain) {
      const values = JSON.parse(kept);
      for (const name of names) if (typeof values[name] === "string") form.elements[name].value = values[name];
      window.addEventListener("load", () => htmx.trigger(form, "submit"));
    } else if (!cameBack) {
      sessionStorage.removeItem(KEPT);
    }
  } catch { /* what was kept cannot be read */ }

  const links = () => [...document.querySelectorAll("#found tbody th a")];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = document.activeElement;
    const typing = here instanceof HTMLElement && here.matches("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      text.focus();
      text.select();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (typing && here !== text) return;
      const rows = links();
      const next = rows.indexOf(here) + (event.key === "ArrowDown" ? 1 : -1);
      if (rows.length === 0) return;
      event.preventDefault();
      (next < 0 ? text : rows[Math.min(next, rows.length - 1)]).focus();
    } else if (event.key === "Escape" && here === text && text.value) {
      text.value = "";
      htmx.trigger(form, "submit");
    }
  });
})();

// Copy buttons: <button data-copy="ID of a field" data-copied="what to say then">.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy");
  }
  document.getElementById(`${button.dataset.copy}-copied`).textContent = button.dataset.copied;
});
// <input type="file" data-read-into="ID">: the text of a file, put into a field for who would otherwise paste it.
document.addEventListener("change", async (event) => {
  const target = event.target.dataset.readInto;
  const file = event.target.files?.[0];
  if (target && file && file.size < 65536) document.getElementById(target).value = await file.text();
});

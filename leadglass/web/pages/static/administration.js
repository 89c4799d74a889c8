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

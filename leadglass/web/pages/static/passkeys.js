// Passkeys: a form asks for one, or makes one, and is sent with the browser's answer (WebAuthn Level 3).
"use strict";
(() => {
  const named = !/^[0-9.]+$|^\[/.test(location.hostname); // browsers have passkeys for names, not for addresses
  if (!window.PublicKeyCredential || !navigator.credentials || !named) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (items) => (items || []).map((item) => ({ ...item, id: bytes(item.id) }));

  const asked = async (form) => {
    const second = form.elements.second ? "1" : "";
    const body = new URLSearchParams({ second, csrf: form.elements.csrf ? form.elements.csrf.value : "" });
    const answer = await fetch(form.dataset.options, { method: "POST", body, redirect: "error" });
    if (!answer.ok) throw new Error("refused");
    return answer.json();
  };
  const got = async (options) => {
    const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: listed(options.allowCredentials) };
    const found = await navigator.credentials.get({ publicKey });
    const { clientDataJSON, authenticatorData, signature } = found.response;
    return told(found, { clientDataJSON, authenticatorData, signature });
  };
  const made = async (options) => {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: listed(options.excludeCredentials),
    };
    const found = await navigator.credentials.create({ publicKey });
    const { clientDataJSON, attestationObject } = found.response;
    return told(found, { clientDataJSON, attestationObject });
  };
  const told = (found, parts) => {
    const response = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, text(value)]));
    return JSON.stringify({ id: found.id, rawId: text(found.rawId), type: found.type, response });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[data-failed]");
    form.hidden = false;
    const other = document.getElementById(form.dataset.insteadOf || "");
    if (other) other.hidden = true;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      try {
        const options = await asked(form);
        form.elements.answer.value = await (form.dataset.passkey === "create" ? made(options) : got(options));
      } catch {
        failed.textContent = failed.dataset.failed;
        failed.hidden = false;
        return;
      }
      form.submit(); // does not come here again
    });
  }
})();

// Make a passkey, or sign in with one. A form with data-passkey="create" or "get" has a hidden field
// `credential`, a button, and a place for an error. Its address answers ?options with the ceremony's
// options, and takes the browser's answer.
import { t } from "../js/texts.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const named = (list) => list?.map((each) => ({ ...each, id: bytes(each.id) }));

const ceremony = async (form) => {
  const response = await fetch(`${form.action}?options`, { headers: { Accept: "application/json" } });
  if (!response.ok || response.redirected) throw new Error(`options: ${response.status}`);
  const { publicKey } = await response.json();
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (form.dataset.passkey === "get") {
    options.allowCredentials = named(publicKey.allowCredentials) ?? [];
    return navigator.credentials.get({ publicKey: options });
  }
  options.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
  options.excludeCredentials = named(publicKey.excludeCredentials) ?? [];
  return navigator.credentials.create({ publicKey: options });
};

const written = (credential) => {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: Object.fromEntries(parts.filter((part) => response[part]).map((part) => [part, text(response[part])])),
    clientExtensionResults: {},
  });
};

const message = (error) =>
  error.name === "InvalidStateError"
    ? t("This device has a passkey of your account already.")
    : t("No passkey was used. Try again, or use another way.");

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("[data-passkey-go]");
  const trouble = form.querySelector("[data-passkey-error]");
  const say = (what) => {
    trouble.textContent = what;
    trouble.hidden = !what;
  };
  button.hidden = false;
  if (!globalThis.PublicKeyCredential) {
    button.disabled = true;
    say(t("This browser has no passkeys."));
  }
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say("");
    button.disabled = true;
    try {
      form.elements.credential.value = written(await ceremony(form));
      button.disabled = false;
      form.requestSubmit(button);
    } catch (error) {
      button.disabled = false;
      say(message(error));
    }
  });
}

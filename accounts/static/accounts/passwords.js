// Let the reader see a password that they type. Every password field gets a button that shows it.
import { t } from "../js/texts.js";

for (const input of document.querySelectorAll("input[type=password]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "secondary";
  button.setAttribute("aria-controls", input.id);
  const set = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? t("Hide") : t("Show");
    button.setAttribute("aria-label", shown ? t("Hide the password") : t("Show the password"));
  };
  set(false);
  button.addEventListener("click", () => {
    set(input.type === "password");
    input.focus();
  });
  const pair = document.createElement("div");
  pair.className = "with-button";
  input.replaceWith(pair);
  pair.append(input, button);
  // A browser must not keep the password as the text of an ordinary field.
  input.form?.addEventListener("submit", () => set(false));
}

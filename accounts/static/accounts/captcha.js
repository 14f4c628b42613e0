// Solve the captcha of a form.
import { t } from "../js/texts.js";
import { solved } from "./solving.js";

// A challenge is good for ten minutes; a form may lie open for longer.
const GOOD_FOR = 9 * 60 * 1000;
const encoded = (payload) => btoa(JSON.stringify(payload));

for (const box of document.querySelectorAll("[data-captcha]")) {
  const field = box.querySelector("input");
  const group = box.querySelector(".progress");
  const bar = box.querySelector("progress");
  const status = box.querySelector("[role=status]");
  const again = box.querySelector("button");
  const form = box.closest("form");
  let working = null;
  let sender = null;

  const solve = async () => {
    again.hidden = true;
    group.hidden = false;
    bar.value = 0;
    status.textContent = t("Your browser is doing a sum. You can go on typing.");
    try {
      if (!globalThis.crypto?.subtle) throw new Error("insecure");
      const answer = await fetch(box.dataset.captcha, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const challenge = await answer.json();
      const solution = await solved(challenge, box.dataset.worker, (part) => {
        bar.value = 100 * part;
      });
      field.value = encoded({ challenge, solution });
      status.textContent = t("The sum is done. You can send the form.");
      setTimeout(() => {
        field.value = "";
        start();
      }, GOOD_FOR);
    } catch (error) {
      status.textContent =
        error.message === "insecure"
          ? t("The sum needs a secure connection. Open this page with https.")
          : error.message === "429"
            ? t("Too many forms were opened from your network. Wait a minute, and try again.")
            : t("The sum could not be done. What you typed is still here.");
      again.hidden = false;
    }
    group.hidden = true;
    working = null;
    if (sender !== null) {
      const button = sender;
      sender = null;
      if (field.value) form.requestSubmit(button || undefined);
      else again.focus();
    }
  };
  const start = () => (working ??= solve());

  // Before the page's own listeners, which mark the form as being sent.
  form.addEventListener(
    "submit",
    (event) => {
      if (field.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      sender = event.submitter ?? false;
      status.textContent = t("The form is sent as soon as the sum is done.");
      start();
    },
    { capture: true },
  );
  again.addEventListener("click", () => start());
  // A page that comes back from the browser's memory has a used solution.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    field.value = "";
    start();
  });
  start();
}

// Solve the captcha of a form: a challenge of ALTCHA, version 2, shared out to workers.
import { t } from "../js/texts.js";

const WORKERS = 4;
// A challenge is good for ten minutes; a form may lie open for longer.
const GOOD_FOR = 9 * 60 * 1000;
const encoded = (payload) => btoa(JSON.stringify(payload));

// Return the solution. `told` gets the part that is done, from 0 to 1.
const solved = (challenge, script, told) =>
  new Promise((resolve, reject) => {
    const { data } = challenge.parameters;
    const started = performance.now();
    let tried = 0;
    const count = Math.max(1, Math.min(WORKERS, navigator.hardwareConcurrency || 1));
    const workers = Array.from({ length: count }, () => new Worker(script, { type: "module" }));
    const end = (finish, value) => {
      workers.forEach((worker) => worker.terminate());
      finish(value);
    };
    workers.forEach((worker, index) => {
      worker.onerror = () => end(reject, new Error("worker"));
      worker.onmessage = ({ data: { found, error, tries } }) => {
        if (error) return end(reject, new Error(error));
        if (found) return end(resolve, { ...found, time: performance.now() - started });
        tried += tries;
        told(tried / data.max);
        if (tried >= data.max) end(reject, new Error("unsolved"));
      };
      worker.postMessage({ parameters: challenge.parameters, start: 1 + index, step: count });
    });
  });

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

// Messages about what was done. Those that the server sent stand in the page already.
import { t } from "./texts.js";

const SECONDS = 8;

export function icon(name) {
  const sprite = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svg.namespaceURI, "use"));
  svg.firstChild.setAttribute("href", `${sprite}#${name}`);
  return svg;
}

// Let a message be closed. Good news also goes by itself, unless somebody is at it.
export function adopt(toast) {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "bare";
  close.setAttribute("aria-label", t("Close"));
  close.append(icon("x"));
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  if (toast.matches(".error, .warning")) return toast;
  let timer;
  const wait = () => (timer = setTimeout(() => toast.remove(), SECONDS * 1000));
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, () => (clearTimeout(timer), wait()));
  wait();
  return toast;
}

// Show a text; kind is "", "success", "warning" or "error". link is {href, text}, if there is one.
export function toast(text, kind = "", link = null) {
  const element = document.createElement("p");
  element.className = `toast ${kind}`;
  element.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (link) element.append(Object.assign(document.createElement("a"), { href: link.href, textContent: link.text }));
  document.getElementById("toasts").append(adopt(element));
  return element;
}

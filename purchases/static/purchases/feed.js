// The live feed. It resumes after the last position that it has seen, and shows no purchase twice.
import { purchaseRow } from "./rows.js";

const ROWS = 200;
const SILENCE_MS = 40_000;
const feed = document.getElementById("feed");
const rows = document.getElementById("feed-rows");
const state = document.getElementById("feed-state");
const empty = document.getElementById("feed-empty");
const scope = feed.dataset.scope;
const seen = new Set([...rows.children].map((row) => row.dataset.id));
let position = feed.dataset.position;
let attempt = 0;
let watchdog;

function say(name, text) {
  state.dataset.state = name;
  state.textContent = text;
}

function show(purchase) {
  if (seen.has(purchase.id)) return;
  seen.add(purchase.id);
  const row = purchaseRow(purchase, "customers" in feed.dataset);
  row.classList.add("fresh");
  setTimeout(() => row.classList.remove("fresh"), 2500);
  rows.prepend(row);
  empty.hidden = true;
  while (rows.children.length > ROWS) {
    seen.delete(rows.lastElementChild.dataset.id);
    rows.lastElementChild.remove();
  }
}

function connect() {
  const address = new URL(`/ws/purchases/?scope=${scope}&after=${position}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => socket.close(), SILENCE_MS);
  };
  heard();
  socket.addEventListener("message", (message) => {
    heard();
    const data = JSON.parse(message.data);
    if (data.type === "hello") {
      attempt = 0;
      say("live", "Live");
    }
    if (data.type === "events") data.events.forEach((event) => show(event.purchase));
    position = data.position;
  });
  socket.addEventListener("close", (closed) => {
    clearTimeout(watchdog);
    if (closed.code === 4401) return say("lost", "Signed out. Sign in again to go on.");
    if (closed.code === 4409) return say("lost", "The ledger was put back to an earlier state. Reload the page to see it.");
    if (closed.code === 4400 || closed.code === 4403) return say("lost", "The feed is not for this account.");
    say("lost", "Connection lost; trying again…");
    attempt += 1;
    const wait = Math.min(10_000, 250 * 2 ** attempt) * (0.5 + Math.random() / 2);
    setTimeout(connect, wait);
  });
}

connect();

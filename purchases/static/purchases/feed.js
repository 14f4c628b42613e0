// The live feed. `follow` keeps the connection: it resumes after the last position that it has seen,
// so that nothing is missed. `showFeed` shows what it brings as rows on top of the section `#feed`.
import { n, t } from "../js/texts.js";
import { purchaseRow } from "./rows.js";

const ROWS = 200;
const SILENCE_MS = 40_000;
const FRESH_MS = 2500;
const NEWS_MS = 2000;
const SIGNED_OUT = 4401;
const ENDS = {
  4400: () => t("The feed is not for this account."),
  [SIGNED_OUT]: () => t("Signed out. Sign in again to go on."),
  4403: () => t("The feed is not for this account."),
  4409: () => t("The ledger was put back to an earlier state. Reload the page to see it."),
};

// Follow the feed of a scope, "mine" or "all", after a position. `onPurchases` gets an array in the
// order of recording; `onState` gets "connecting", "live" or "lost" and a text.
export function follow({ scope, position, onPurchases, onState }) {
  let attempt = 0;
  let watchdog;
  let retry;
  let signedOut = false;

  function connect() {
    retry = undefined;
    signedOut = false;
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
        onState("live", t("Live"));
      }
      if (data.type === "events") onPurchases(data.events.map((event) => event.purchase));
      position = data.position;
    });
    socket.addEventListener("close", (closed) => {
      clearTimeout(watchdog);
      signedOut = closed.code === SIGNED_OUT;
      if (closed.code in ENDS) return onState("lost", ENDS[closed.code]());
      onState("lost", t("Connection lost, trying again"));
      attempt += 1;
      retry = setTimeout(connect, Math.min(10_000, 250 * 2 ** attempt) * (0.5 + Math.random() / 2));
      return undefined;
    });
  }

  addEventListener("online", () => {
    if (!retry) return;
    clearTimeout(retry);
    connect();
  });
  // Who comes back to this window may have signed in again in another.
  addEventListener("focus", () => signedOut && connect());
  onState("connecting", t("Connecting"));
  connect();
}

// Show the feed in a section made by `purchases/_feed.html`. `accepts` says which purchases become
// rows. `onPurchases` gets all of them. Return an object whose `paused` holds new rows back.
export function showFeed(feed = document.getElementById("feed"), { accepts = () => true, onPurchases } = {}) {
  const find = (name) => feed.querySelector(`[data-feed=${name}]`);
  const [rows, state, empty, more, news] = ["rows", "state", "empty", "more", "news"].map(find);
  const limit = Number(feed.dataset.limit) || ROWS;
  let waiting = [];
  let unheard = [];
  let asked = false;
  let held = false;

  // Rows on top would move what somebody reads, selects or has in focus.
  function isBusy() {
    if (held) return true;
    if (rows.getBoundingClientRect().top < 0 || rows.parentElement.parentElement.scrollTop > 0) return true;
    if (rows.contains(document.activeElement)) return true;
    const selection = document.getSelection();
    return !selection.isCollapsed && selection.containsNode(rows, true);
  }

  function tellMore() {
    more.hidden = !waiting.length;
    const count = waiting.length >= limit ? `${limit}+` : waiting.length;
    more.querySelector("[data-feed=count]").textContent = n("%(count)s new", "%(count)s new", waiting.length, { count });
  }

  function insert() {
    for (const purchase of waiting) {
      // The page may have been made before the purchase got its position.
      if (rows.querySelector(`[data-id="${CSS.escape(purchase.id)}"]`)) continue;
      const row = purchaseRow(purchase);
      row.classList.add("fresh");
      setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
      rows.prepend(row);
    }
    waiting = [];
    while (rows.children.length > limit) rows.lastElementChild.remove();
    if (rows.children.length) empty.hidden = true;
    tellMore();
  }

  function flush() {
    asked = false;
    if (isBusy()) tellMore();
    else if (waiting.length) insert();
  }

  function ask() {
    if (asked) return;
    asked = true;
    // A hidden window gets no frames, so a timer stands in for them.
    if (document.hidden) setTimeout(flush, 250);
    else requestAnimationFrame(flush);
  }

  // Who listens hears of what is new at most every few seconds.
  function announce() {
    const [{ item }] = unheard;
    news.textContent = unheard.length === 1 && item ? t("New purchase: %(item)s", { item }) : n("%(count)s new purchase", "%(count)s new purchases", unheard.length);
    unheard = [];
  }

  function take(purchases) {
    onPurchases?.(purchases);
    const accepted = purchases.filter(accepts);
    if (!accepted.length) return;
    // Of many that wait, only those that fit are kept.
    waiting = waiting.concat(accepted).slice(-limit);
    if (!unheard.length) setTimeout(announce, NEWS_MS);
    unheard = unheard.concat(accepted).slice(-limit);
    ask();
  }

  more.addEventListener("click", () => {
    insert();
    feed.scrollIntoView({ block: "start" });
    feed.focus({ preventScroll: true });
  });
  for (const [target, name] of [[document, "scroll"], [document, "selectionchange"], [rows, "focusout"]]) {
    target.addEventListener(name, () => waiting.length && ask(), { passive: true });
  }
  follow({
    scope: feed.dataset.scope,
    position: feed.dataset.position,
    onPurchases: take,
    onState: (name, text) => {
      state.dataset.state = name;
      state.textContent = text;
    },
  });
  return {
    get paused() {
      return held;
    },
    set paused(value) {
      held = value;
      ask();
    },
  };
}

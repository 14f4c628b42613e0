// While an attempt is open its page and files are kept on the device, so that they open without a connection.
// Where a browser has no service workers, or no room, the answers are kept all the same.
let work = Promise.resolve();
let last = "";

// Do one step after the other, and each once. One that fails is done again when it is asked for.
function inTurn(name, step) {
  if (last !== name) {
    last = name;
    work = work.then(step).catch(() => {
      if (last === name) last = "";
    });
  }
  return work;
}

function files() {
  const urls = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
  const ours = urls.filter(({ origin, pathname }) => origin === location.origin && !pathname.startsWith("/api/"));
  return [...new Set(ours.map(({ href }) => href))];
}

// In a frame the page around it would not open either.
export function keepPage({ offline, cache, page }, version) {
  if (window.parent !== window) return work;
  return inTurn("keep", async () => {
    await navigator.serviceWorker.register(offline);
    const kept = await caches.open(cache);
    await kept.addAll(files());
    // The attempt stays under its version, whatever was published meanwhile.
    const answer = await fetch(`${page}?v=${version}`, { credentials: "omit" });
    if (!answer.ok) throw new Error(String(answer.status));
    await kept.put(page, answer);
  });
}

export function forgetPage({ cache, page }) {
  if (window.parent !== window) return work;
  return inTurn("forget", async () => {
    await caches.delete(cache);
    const found = await navigator.serviceWorker.getRegistration(page);
    if (found?.scope === new URL(page, location.href).href) await found.unregister();
  });
}

{% autoescape off %}// The till's service worker: it keeps the page and its files on the device, for a start without a
// connection. It never keeps an answer of the API, and never a page that is not the till's own.
const VERSION = {{ version }};
const SHELL = {{ shell }};
const ASSETS = {{ assets }};
const NAME = `till-${VERSION}`;
const NETWORK_MILLISECONDS = 4000;
const kept = new Set(ASSETS);
// Whether the page that was loaded last is of another version. Its files are then not ours.
let isOther = false;
{% endautoescape %}
const isShell = (response) => response.ok && !response.redirected && response.headers.get("Till-Version") === VERSION;

async function keepShell(response) {
  if (isShell(response)) await (await caches.open(NAME)).put(SHELL, response);
}

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(NAME);
      await cache.addAll(ASSETS.map((asset) => new Request(asset, { cache: "reload" })));
      // Who is signed out gets no page of the till; the next visit keeps it.
      await keepShell(await fetch(SHELL, { credentials: "same-origin" }));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("till-") && name !== NAME) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

// Return the page from the network, else the kept one. A slow network counts as none.
async function page(event) {
  const copy = await (await caches.open(NAME)).match(SHELL);
  const limit = new AbortController();
  const timer = copy && setTimeout(() => limit.abort(), NETWORK_MILLISECONDS);
  try {
    const response = await fetch(event.request, { signal: limit.signal });
    if (response.status >= 500 && copy) return copy;
    const version = response.headers.get("Till-Version");
    if (version) isOther = version !== VERSION;
    if (!new URL(event.request.url).search) event.waitUntil(keepShell(response.clone()));
    return response;
  } catch (error) {
    if (!copy) throw error;
    isOther = false;
    return copy;
  } finally {
    clearTimeout(timer);
  }
}

async function file(request) {
  const copy = isOther ? null : await (await caches.open(NAME)).match(request, { ignoreVary: true });
  return copy ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname === SHELL) event.respondWith(page(event));
  } else if (kept.has(url.pathname + url.search)) {
    event.respondWith(file(request));
  }
});

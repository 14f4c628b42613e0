{% autoescape off %}// The till's service worker: it keeps the page and its files on the device, for a start without a
// connection. It never keeps an answer of the API, and never a page that is not the till's own.
const VERSION = {{ version }};
const SHELL = {{ shell }};
const FILES = {{ files }};
{% endautoescape %}const NAME = `till-${VERSION}`;
const NETWORK_MILLISECONDS = 4000;
const FILES_MAX = 200;
// Whether the page that was loaded last is of another version. Its files are then not ours.
let isOther = false;

const isFile = (path) => FILES.some((start) => path.startsWith(start));

// Return the files that a page or a script names.
function named(text, base) {
  const links = text.matchAll(/(?:(?:src|href)=|\bfrom |^import |\bimport\()"([^"#]+)/gm);
  const urls = [...links].map(([, link]) => new URL(link.replaceAll("&amp;", "&"), base));
  return urls.filter((url) => url.origin === self.location.origin && isFile(url.pathname)).map((url) => url.href);
}

// Keep the page after all files that it needs, so that a kept page is a whole one.
async function keep(response) {
  if (!response.ok || response.redirected || response.headers.get("Till-Version") !== VERSION) return;
  const cache = await caches.open(NAME);
  const found = new Set(named(await response.clone().text(), self.location.origin));
  for (const url of found) {
    if (found.size > FILES_MAX) throw new Error("The page names too many files.");
    let file = await cache.match(url, { ignoreVary: true });
    if (!file) {
      file = await fetch(url, { cache: "reload" });
      if (!file.ok) throw new Error(`${url} cannot be kept.`);
      await cache.put(url, file.clone());
    }
    // A set goes on to what is added to it meanwhile.
    if (new URL(url).pathname.endsWith(".js")) for (const next of named(await file.text(), url)) found.add(next);
  }
  await cache.put(SHELL, response);
}

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      // Who is signed out gets no page of the till; the next visit keeps it.
      await keep(await fetch(SHELL, { credentials: "same-origin" }));
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
    // An address with more in it has a form that is filled in.
    if (!new URL(event.request.url).search) event.waitUntil(keep(response.clone()).catch(() => {}));
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
  } else if (isFile(url.pathname)) {
    event.respondWith(file(request));
  }
});

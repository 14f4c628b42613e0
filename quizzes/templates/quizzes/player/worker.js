// The service worker of one quiz: it opens the page that offline.js keeps, where there is no connection.
// It keeps nothing itself, has no answers, and goes when the attempt is over.
const PAGE = "{{ page }}";
const CACHE = "{{ cache }}";
const NETWORK_MILLISECONDS = 4000;
// Whether the page that was opened last is the copy, so that its files are, too.
let isCopy = false;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || url.pathname.startsWith("/api/")) return;
  if (request.mode !== "navigate") event.respondWith(file(request));
  else if (url.pathname === PAGE && !url.searchParams.has("preview")) event.respondWith(page(request));
});

const kept = async (request) => (await caches.has(CACHE)) && (await caches.open(CACHE)).match(request, { ignoreVary: true });

// Return the page from the network, else the kept one. A slow network counts as none.
async function page(request) {
  const copy = await kept(PAGE);
  isCopy = false;
  if (!copy) return fetch(request);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), NETWORK_MILLISECONDS);
  try {
    const response = await fetch(request, { signal: limit.signal });
    if (response.status < 500) return response;
  } catch {
    // There is no connection, or a slow one.
  } finally {
    clearTimeout(timer);
  }
  isCopy = true;
  return copy;
}

async function file(request) {
  const copy = await kept(request);
  if (copy && isCopy) return copy;
  try {
    return await fetch(request);
  } catch (error) {
    if (!copy) throw error;
    return copy;
  }
}

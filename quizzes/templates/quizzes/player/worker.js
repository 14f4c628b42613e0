// The service worker of one quiz: it opens the page that offline.js keeps, when there is no connection.
// It keeps nothing itself, and has nothing to do once the attempt is finished.
const NETWORK_MILLISECONDS = 4000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const isOurs = request.method === "GET" && url.origin === self.location.origin && !url.pathname.startsWith("/api/");
  if (isOurs && !url.searchParams.has("preview")) event.respondWith(answer(request, url));
});

// Return the answer of the network, else what is kept. A slow network counts as none.
async function answer(request, url) {
  const isPage = request.mode === "navigate";
  const copy = await (await caches.open("{{ cache }}")).match(isPage ? kept(url) : request, { ignoreVary: true });
  if (!copy) return fetch(request);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), NETWORK_MILLISECONDS);
  try {
    const response = await fetch(request, { signal: limit.signal });
    return response.status >= 500 ? copy : response;
  } catch {
    return copy;
  } finally {
    clearTimeout(timer);
  }
}

// A page has all its languages, so only the version and the frame make it another one.
function kept(url) {
  const place = new URL(url.pathname, url.origin);
  for (const name of ["v", "embed"]) if (url.searchParams.has(name)) place.searchParams.set(name, url.searchParams.get(name));
  return place.href;
}

// While an attempt is open its page and files are kept on the device, so that it opens without a connection.
// Where a browser has no service workers or no room, the answers are kept all the same.
const isFile = (url) => url.startsWith(location.origin) && !new URL(url).pathname.startsWith("/api/");

export async function keepPage({ offline, cache }) {
  try {
    await navigator.serviceWorker.register(offline);
    const files = performance.getEntriesByType("resource").map(({ name }) => name).filter(isFile);
    const place = new URL(location.pathname, location.origin);
    const query = new URLSearchParams(location.search);
    for (const name of ["v", "embed"]) if (query.has(name)) place.searchParams.set(name, query.get(name));
    const kept = await caches.open(cache);
    await kept.addAll([...new Set(files), place.href]);
  } catch (error) {
    console.info("The page is not kept for a start without a connection:", error.message);
  }
}

export async function forgetPage({ offline, cache }) {
  try {
    await caches.delete(cache);
    const scope = new URL("./", new URL(offline, location.href)).href;
    const found = await navigator.serviceWorker.getRegistration(scope);
    if (found?.scope === scope) await found.unregister();
  } catch {
    // There was nothing to forget.
  }
}

// Puts a quiz where this script stands:
//   <script src="https://…/q/<name>/embed.js" async></script>
// The address may have `lang`, `ref` and `utm_…`; those of the page around are handed on.
(() => {
  const script = document.currentScript;
  const address = new URL("./", script.src);
  const given = new URL(script.src).searchParams;
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name.startsWith("utm_") && !given.has(name)) given.set(name, value);
  }
  given.set("embed", "1");
  address.search = given;

  const frame = document.createElement("iframe");
  frame.src = address;
  frame.title = {{ title|safe }};
  frame.loading = "lazy";
  frame.style.cssText = "display: block; width: 100%; height: 480px; border: 0";

  // The quiz tells its height. Nothing else is believed, and nobody else.
  const LEAST = 200;
  const MOST = 6000;
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== address.origin) return;
    const { type, height } = event.data ?? {};
    if (type !== "shop-quiz" || !Number.isInteger(height)) return;
    frame.style.height = `${Math.min(MOST, Math.max(LEAST, height))}px`;
  });
  script.after(frame);
})();

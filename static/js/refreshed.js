// Reads a part of the page again and again while somebody looks at it, and puts it in place.
const WAIT_MS = 10_000;

export function keepFresh(place, everyMs) {
  let timer;

  // Nothing moves under somebody's cursor, focus or selection.
  function inUse() {
    const selection = document.getSelection();
    return (
      place.contains(document.activeElement) ||
      (selection && !selection.isCollapsed && place.contains(selection.anchorNode))
    );
  }

  function open() {
    return [...place.querySelectorAll("details")].map((each) => each.open);
  }

  async function read() {
    const answer = await fetch(place.dataset.source, {
      signal: AbortSignal.timeout(WAIT_MS),
      redirect: "error",
    });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.text();
  }

  async function refresh() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const text = await read();
        if (!inUse()) {
          const opened = open();
          const parsed = new DOMParser().parseFromString(text, "text/html");
          place.replaceChildren(...parsed.body.childNodes);
          place.querySelectorAll("details").forEach((each, number) => {
            each.open = opened[number] ?? false;
          });
        }
        place.removeAttribute("data-late");
      } catch {
        // The figures say as of when they are, so they stay. CSS shows that they are not renewed.
        place.dataset.late = "";
      }
    }
    timer = setTimeout(refresh, everyMs);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  timer = setTimeout(refresh, everyMs);
}

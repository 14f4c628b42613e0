// The first guess of the reader's time zone is that of the browser. A cookie keeps it, and from then
// on the server writes in it; what this page has in UTC is written anew at once.
import { tell } from "./times.js";

const COOKIE = "shop_time_zone";
const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
const isKnown = document.cookie.split("; ").some((cookie) => cookie.startsWith(`${COOKIE}=`));

if (!isKnown && /^[\w+-]+(\/[\w+-]+)*$/.test(guess ?? "")) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${COOKIE}=${guess}; path=/; max-age=31536000; samesite=lax${secure}`;
  // An account that has chosen a zone is not asked; UTC may be its choice.
  if (document.body.dataset.timeZone === "UTC" && !("zoneChosen" in document.body.dataset)) {
    document.body.dataset.timeZone = guess;
    for (const element of document.querySelectorAll("time[datetime*='T']")) tell(element);
    for (const element of document.querySelectorAll("[data-zone]")) element.textContent = guess;
  }
}

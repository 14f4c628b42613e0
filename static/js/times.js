// Times in the language and the time zone of the page, as shop/core/times.py writes them.
import { language } from "./texts.js";

// English dates are written as most of the world writes them: "26 Nov", never "Nov 26".
const locale = () => (language() === "en" ? "en-GB" : language());
export const zone = () => globalThis.document?.body?.dataset.timeZone || "UTC";

const formats = new Map();
function format(options, timeZone = zone()) {
  const key = `${locale()} ${timeZone} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), { calendar: "gregory", hourCycle: "h23", timeZone, ...options }));
  return formats.get(key);
}

const asDate = (moment) => (moment instanceof Date ? moment : new Date(moment));
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const year = (moment) => format({ year: "numeric" }).format(moment);

export const clock = (moment) => format(CLOCK).format(asDate(moment));

// "26 Nov, 14:05", with the year if it is not this one.
export function short(moment) {
  const date = asDate(moment);
  const day = { day: "numeric", month: "short" };
  if (year(date) !== year(new Date())) day.year = "numeric";
  return `${format(day).format(date)}, ${clock(date)}`;
}

// "UTC+5:45" of the page's zone at a moment.
function offset(moment, timeZone = zone()) {
  const name = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(moment).find((part) => part.type === "timeZoneName").value;
  return name.replace("GMT", "UTC").replace(/([+-])0/, "$1").replace(":00", "");
}

export const zoneLabel = (moment = new Date()) => (zone() === "UTC" ? "UTC" : `${zone()} (${offset(asDate(moment))})`);

// "26 November 2026, 14:05:32, Europe/Berlin (UTC+1)"
export function full(moment) {
  const date = asDate(moment);
  const day = format({ day: "numeric", month: "long", year: "numeric" }).format(date);
  return `${day}, ${format({ ...CLOCK, second: "2-digit" }).format(date)}, ${zoneLabel(date)}`;
}

// The same as the server's template tag `time`.
export function time(iso) {
  const element = document.createElement("time");
  element.dateTime = iso;
  return tell(element);
}

// Write a <time> anew, for the page's zone.
export function tell(element) {
  element.textContent = short(element.dateTime);
  element.title = full(element.dateTime);
  return element;
}

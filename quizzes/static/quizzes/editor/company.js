// How well the colours of a company can be read on white, while one chooses them.
import { t } from "../../js/texts.js";

const NEEDED = 4.5;
const output = document.getElementById("contrast");
const inputs = ["color", "accent"].map((id) => document.getElementById(id));

// Source: WCAG 2.2, "contrast ratio" and "relative luminance".
function contrast(colour) {
  const channels = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16) / 255);
  const [r, g, b] = channels.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
}

function told() {
  const found = inputs.map((input) => contrast(input.value));
  // What is shown is rounded down, so 4.5 is 4.5 at least.
  const [first, second] = found.map((each) => (Math.floor(each * 10) / 10).toLocaleString(document.documentElement.lang, { minimumFractionDigits: 1 }));
  const enough = Math.min(...found) >= NEEDED;
  output.textContent = enough
    ? t("Contrast %(first)s and %(second)s: easy to read.", { first, second })
    : t("Contrast %(first)s and %(second)s: below 4.5 is hard to read, and is refused.", { first, second });
}

for (const input of inputs) input.addEventListener("input", told);
told();

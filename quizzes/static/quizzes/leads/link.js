// The page of a mailed link: only a click does what the link is for.

const answers = JSON.parse(document.getElementById("answers").textContent);
const answer = document.getElementById("answer");
const buttons = document.getElementById("buttons");
// The token leaves the address at once, so that nobody reads it over a shoulder or in a history.
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname + location.search);

async function act(url) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "omit",
    referrerPolicy: "no-referrer",
    body: JSON.stringify({ token }),
  });
  if (response.status === 404 || response.status === 400) return "over";
  if (!response.ok) return "failed";
  return (await response.json()).state;
}

buttons.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  for (const each of buttons.children) each.disabled = true;
  let state = "failed";
  try {
    state = await act(button.dataset.url);
  } catch {
    // The network is away, so the same click may be tried again.
  }
  answer.textContent = answers[state] ?? answers.failed;
  // Whoever took a consent back may go on to be erased.
  if (state !== "failed") button.hidden = true;
  for (const each of buttons.children) each.disabled = false;
  const left = state === "failed" || state === "withdrawn";
  buttons.hidden = !left;
  document.getElementById("sentence").hidden = !left;
});

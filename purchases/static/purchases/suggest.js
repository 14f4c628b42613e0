// Suggest customers while a name is typed: those that the search finds.
const WAIT_MS = 200;
const PLACE = "/customers/";

// `input` has a <datalist>, which is filled with names; a userid stands beside its name.
export function suggestCustomers(input) {
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    const text = input.value.trim();
    if (!text || [...input.list.options].some((option) => option.value === text)) return;
    timer = setTimeout(async () => {
      const answer = await fetch(`/search/?q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } }).catch(() => null);
      if (!answer?.ok || input.value.trim() !== text) return;
      const { hits } = await answer.json();
      const found = hits.filter((hit) => hit.url.startsWith(PLACE) && hit.url !== PLACE);
      input.list.replaceChildren(...found.map((hit) => new Option(hit.detail, hit.label)));
    }, WAIT_MS);
  });
}

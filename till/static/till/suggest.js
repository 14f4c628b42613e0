// The customer's name completes: a combobox, whose suggestions are those of `find`.
const TYPING_MILLISECONDS = 120;

// `find(text)` returns [{username, userid}], with `isPart` if there may be more. `chosen` keeps the
// userid that belongs to the name. `unknown` is told whether nobody has the name that was typed.
export function suggest(input, list, chosen, unknown, find) {
  let shown = [];
  let active = -1;
  let timer;
  let asked = 0;

  function mark(place) {
    active = place;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    if (place >= 0) {
      input.setAttribute("aria-activedescendant", list.children[place].id);
      list.children[place].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function show(found) {
    shown = found;
    list.replaceChildren(
      ...found.map(({ username, userid }, at) => {
        const option = document.createElement("li");
        option.id = `customer-${at}`;
        option.role = "option";
        const name = document.createElement("bdi");
        name.textContent = username;
        const id = document.createElement("bdi");
        id.className = "hint";
        id.textContent = userid;
        option.append(name, " ", id);
        return option;
      }),
    );
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    mark(-1);
  }

  function choose(place) {
    input.value = shown[place].username;
    chosen.value = shown[place].userid;
    unknown(false);
    show([]);
  }

  input.addEventListener("input", () => {
    chosen.value = "";
    clearTimeout(timer);
    const text = input.value.trim();
    const mine = ++asked;
    unknown(false);
    if (!text) return show([]);
    timer = setTimeout(async () => {
      const found = await find(text);
      if (mine !== asked) return;
      if (document.activeElement === input) show(found);
      unknown(!found.isPart && !found.length);
    }, TYPING_MILLISECONDS);
  });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") mark((active + 1) % shown.length);
    else if (event.key === "ArrowUp") mark((active <= 0 ? shown.length : active) - 1);
    else if (event.key === "Escape") show([]);
    else if (event.key === "Enter" && active >= 0) choose(active);
    else if (event.key === "Tab" && active >= 0) return choose(active);
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", () => {
    // Who types a userid, or a whole name, means that customer.
    const text = input.value.trim();
    const same = shown.findIndex(({ username, userid }) => userid === text || username === text);
    if (same >= 0 && !chosen.value) choose(same);
    else show([]);
  });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const place = [...list.children].indexOf(event.target.closest("li"));
    if (place >= 0) choose(place);
  });
}

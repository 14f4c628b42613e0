// What was typed into a form whose sending was refused, because the session had ended for example. It
// is kept in this tab until its account is at the form's page again, or something else was sent.
const PLACE = "shop-kept";
const TYPED = "input:not([type=hidden], [type=password], [type=file], [type=submit]), select, textarea";

const user = () => document.body.dataset.user;
const named = (form) => [...form.querySelectorAll(TYPED)].filter((field) => field.name);
const isMarked = (field) => field.type === "checkbox" || field.type === "radio";
const storage = (act) => {
  try {
    return act(sessionStorage);
  } catch {
    return null; // Some browsers refuse to keep anything.
  }
};

// Keep what a form holds at the moment it is sent.
export function keep(form) {
  if (!user() || form.querySelector("[type=password]")) return;
  const fields = named(form).map((field) => [field.name, isMarked(field) ? field.checked : field.value, field.value]);
  const kept = { user: user(), path: location.pathname, action: form.action, fields };
  storage((place) => place.setItem(PLACE, JSON.stringify(kept)));
}

// Fill the form of this page with what was refused. Return whether there was something.
export function giveBack() {
  const kept = storage((place) => JSON.parse(place.getItem(PLACE)));
  if (!kept) return false;
  if (document.querySelector("meta[name=refused]")) {
    storage((place) => place.setItem(PLACE, JSON.stringify({ ...kept, refused: true })));
    return false;
  }
  // The sign-in and its pages are on the way back to the form.
  if (kept.refused && (!user() || (user() === kept.user && location.pathname !== kept.path))) return false;
  storage((place) => place.removeItem(PLACE));
  if (!kept.refused || user() !== kept.user) return false;
  const names = JSON.stringify(kept.fields.map(([name]) => name));
  const isThis = (form) => form.action === kept.action && JSON.stringify(named(form).map((field) => field.name)) === names;
  const form = kept.fields.length ? [...document.forms].find(isThis) : null;
  for (const field of form ? named(form) : []) {
    const found = kept.fields.find(([name, , value]) => name === field.name && (!isMarked(field) || value === field.value));
    if (!found) continue;
    if (isMarked(field)) field.checked = found[1];
    else field.value = found[1];
  }
  return Boolean(form);
}

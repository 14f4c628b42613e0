// Texts in the language of the page, from the catalog that base.html has loaded before any module.
// Without a catalog they stay English. Every text is a literal, because the catalog is made from
// the sources: t("Saved."), t("Saved %(what)s.", { what }), n("%(count)s row", "%(count)s rows", 3).
const filled = (text, values) => (values ? text.replace(/%\((\w+)\)s/g, (whole, name) => values[name] ?? whole) : text);

export const language = () => globalThis.document?.documentElement.lang || "en";

export const t = (message, values) => filled(globalThis.django?.gettext?.(message) ?? message, values);

export const n = (one, many, count, values) =>
  filled(globalThis.django?.ngettext?.(one, many, count) ?? (count === 1 ? one : many), { count, ...values });

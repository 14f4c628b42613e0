// What the till says: reasons of refusals by their code, and why nothing is sent.
import { n, t } from "../js/texts.js";

const FIELDS = {
  username: () => t("Customer"),
  userid: () => t("Customer"),
  item: () => t("Item"),
  quantity: () => t("Quantity"),
  price: () => t("Price"),
  currency: () => t("Currency"),
  timestamp: () => t("Time"),
};

const REASONS = {
  invalid_currency: () => t("There is no such currency now. Write its three letters, such as EUR."),
  in_the_future: () => t("The time is in the future. Check the clock of this device."),
  required: () => t("This is missing."),
  blank: () => t("This is missing."),
  max_length: () => t("This is too long."),
  invalid_characters: () => t("It holds characters that cannot be recorded."),
  max_digits: () => t("The amount is too large."),
  max_decimal_places: () => t("The amount has too many decimals."),
  unknown_customer: () => t("There is no such customer. With a userid it makes a new one."),
  userid_conflict: () => t("The userid belongs to another customer."),
  idempotency_key_reused: () => t("Something else was recorded under the number of this entry."),
  permission_denied: () => t("Your account may not record this."),
};

export function reasonOf(errors) {
  return (errors ?? [])
    .map(({ code, detail, attr }) => {
      const reason = REASONS[code]?.() ?? detail;
      return FIELDS[attr] ? `${FIELDS[attr]()}: ${reason}` : reason;
    })
    .join(" ");
}

export const UNSURE = () => t("The server made a mistake several times. Perhaps it is recorded. Trying again is safe: it is recorded once.");

export function connectionOf(state, waiting) {
  switch (state) {
    case "sending":
      return t("Sending…");
    case "offline":
      return t("No connection");
    case "busy":
      return t("The server is busy");
    case "signed_out":
      return t("Signed out");
    case "other_account":
      return t("Somebody else is signed in");
    case "device":
      return t("This device cannot read what it keeps");
    default:
      return waiting ? t("Waiting") : t("Connected");
  }
}

// Return what to know and do while nothing is sent, or nothing.
export function adviceOf(state, name) {
  switch (state) {
    case "offline":
      return t("What you record is kept on this device, and sent when the connection is back.");
    case "busy":
      return t("What you record is kept on this device, and sent when the server takes it.");
    case "signed_out":
      return t("What you record is kept on this device. Sign in to send it.");
    case "other_account":
      return t("What %(name)s recorded waits until %(name)s signs in. Load this page again to record as yourself.", { name });
    case "device":
      return t("Close this window and open it again. Nothing is removed.");
    default:
      return "";
  }
}

export function countsOf({ waiting, refused, sent }) {
  return [
    waiting.length && n("%(count)s waits", "%(count)s wait", waiting.length),
    refused.length && n("%(count)s refused", "%(count)s refused", refused.length),
    sent.length && n("%(count)s sent lately", "%(count)s sent lately", sent.length),
  ]
    .filter(Boolean)
    .join(" · ");
}

export function clockOf(skew) {
  const minutes = Math.max(1, Math.round(Math.abs(skew) / 60_000));
  return skew > 0
    ? n("The clock of this device is %(count)s minute slow. Entries are sent with the right time.", "The clock of this device is %(count)s minutes slow. Entries are sent with the right time.", minutes)
    : n("The clock of this device is %(count)s minute fast. Entries are sent with the right time.", "The clock of this device is %(count)s minutes fast. Entries are sent with the right time.", minutes);
}

export const othersOf = (name, count) =>
  n("%(count)s entry of %(name)s is on this device. It is sent when %(name)s signs in.", "%(count)s entries of %(name)s are on this device. They are sent when %(name)s signs in.", count, { name });

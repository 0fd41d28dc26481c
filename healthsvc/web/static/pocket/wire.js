// Speaking with the server: who is there, may this phone still, the days to take along, the records to hand in.

import * as vault from "./vault.js";
import { setOffset, setZone } from "./dom.js";

let csrf = "";

export class Offline extends Error {}
export class SignedOut extends Error {}
export class Ended extends Error {}
export class NotForYou extends Error {}

async function ask(method, path, body) {
  const headers = body ? { "content-type": "application/json", "x-csrf-token": csrf } : {};
  let answer;
  try {
    answer = await fetch(path, { method: method, headers: headers, body: body ? JSON.stringify(body) : undefined, cache: "no-store", redirect: "error" });
  } catch (error) {
    throw new Offline(String(error));
  }
  if (answer.status === 401) throw new SignedOut();
  if (answer.status >= 500) throw new Offline(String(answer.status));
  if (!answer.ok) {
    const problem = await answer.json().catch(function () { return {}; });
    const reason = String(problem.type || "").replace("urn:healthsvc:reason:", "");
    if (reason === "pocket-ended") throw new Ended();
    if (answer.status === 403 && reason !== "csrf") throw new NotForYou(reason);
    throw new Error(reason || String(answer.status));
  }
  return answer.status === 204 ? {} : answer.json();
}

// Seconds by which the server is ahead, measured in the middle of the round trip.
async function keepTime(said, begun) {
  const middle = (begun + Date.now()) / 2;
  const ahead = Math.round((Date.parse(said) - middle) / 1000);
  setOffset(ahead);
  await vault.setMeta("offset", ahead);
  await vault.setMeta("contact", Date.now());
}

export async function hello() {
  const begun = Date.now();
  const told = await ask("GET", "/api/pocket/hello");
  csrf = told.csrf;
  setZone(told.zone);
  await vault.setMeta("terms", Object.assign({ zone: told.zone }, told.terms));
  await vault.setMeta("name", told.name);
  await keepTime(told.now, begun);
  return told;
}

// The key from the server; gives its bytes, for the code to close.
export async function unlock() {
  const known = (await vault.meta("grant")) || { id: "", token: "" };
  const told = await ask("POST", "/api/pocket/open", { known: await vault.remembered() });
  const raw = Uint8Array.from(atob(told.key), function (letter) { return letter.charCodeAt(0); });
  const changed = known.id !== "" && known.id !== told.grant;
  if (changed) await vault.forget(); // another account: its days and its code are not this one's
  await vault.openWith(raw, told.grant, told.token);
  return raw;
}

// Whether this phone may still carry what it took along; asks without a session.
export async function stands() {
  const known = await vault.meta("grant");
  if (!known) return true;
  return (await ask("POST", "/api/pocket/standing", { grant: known.id, token: known.token })).holds;
}

export async function takeAlong() {
  const begun = Date.now();
  const pack = await ask("GET", "/api/pocket/days");
  await keepTime(pack.now, begun);
  return pack;
}

export async function handIn(records) {
  const bodies = records.map(function (one) { return Object.assign({}, one.wire, { sent: new Date().toISOString() }); });
  return (await ask("POST", "/api/pocket/records", { grant: vault.grantId(), records: bodies })).answers;
}

export async function end(forget) {
  const known = await vault.meta("grant");
  if (known) await ask("POST", "/api/pocket/end", { grant: known.id, forget: forget });
}

// As the button of every page does it: the answer erases what the browser keeps of this site.
export function signOut() {
  const form = document.createElement("form");
  const field = document.createElement("input");
  form.method = "post";
  form.action = "/sign-out";
  field.type = "hidden";
  field.name = "csrf";
  field.value = csrf;
  form.append(field);
  document.body.append(form);
  form.submit();
}

// What lies on the phone: closed with AES-GCM under a key that is never on its disk in the clear.
//
// The key comes from the server to a signed-in page, or from the disk, where it lies closed by the user's code (PBKDF2). In memory it is
// a CryptoKey that cannot be exported. What stands in the clear: how many records wait, the phone's own id, and when it was last used.

const NAME = "healthsvc-pocket";
const ROUNDS = 600000; // OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256
const text = new TextEncoder();
const plain = new TextDecoder();

let db = null;
let key = null;
let grant = "";

function asked(request) {
  return new Promise(function (done, failed) {
    request.onsuccess = function () { done(request.result); };
    request.onerror = function () { failed(request.error); };
  });
}

// Strict: the write is on the disk before it counts, so that an empty battery takes nothing back.
function written(stores, act) {
  return new Promise(function (done, failed) {
    const change = db.transaction(stores, "readwrite", { durability: "strict" });
    change.oncomplete = function () { done(); };
    change.onerror = change.onabort = function () { failed(change.error); };
    act(change);
  });
}

export async function open() {
  if (db) return;
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = function () {
    request.result.createObjectStore("meta");
    request.result.createObjectStore("records", { keyPath: "id" });
  };
  db = await asked(request);
  db.onversionchange = function () { db.close(); db = null; key = null; };
}

export async function meta(name) {
  return asked(db.transaction("meta").objectStore("meta").get(name));
}

export async function setMeta(name, value) {
  await written("meta", function (change) { change.objectStore("meta").put(value, name); });
}

async function dropMeta(names) {
  await written("meta", function (change) { names.forEach(function (name) { change.objectStore("meta").delete(name); }); });
}

// -- the key ----------------------------------------------------------------------------------------------------------------------

export function isOpen() { return key !== null; }
export function grantId() { return grant; }

async function imported(raw) {
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

export async function openWith(raw, id, token) {
  key = await imported(raw);
  grant = id;
  const others = (await remembered()).filter(function (one) { return one.grant !== id; });
  await setMeta("grant", { id: id, token: token });
  await setMeta("grants", [{ grant: id, token: token }].concat(others).slice(0, 20));
}

// Every grant under which something may still lie here, the latest first.
export async function remembered() { return (await meta("grants")) || []; }

async function codeKey(code, salt, rounds) {
  const base = await crypto.subtle.importKey("raw", text.encode(code), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: salt, iterations: rounds };
  return crypto.subtle.deriveKey(how, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

// The key, closed by the code, so that it can be had again without network.
export async function setCode(code, raw) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv }, await codeKey(code, salt, ROUNDS), raw);
  await setMeta("code", { salt: salt, iv: iv, box: box, rounds: ROUNDS, wrong: 0 });
}

export async function hasCode() { return Boolean(await meta("code")); }

// "open", "wrong", or "gone": after too many wrong codes only the server opens it again.
export async function openByCode(code, tries) {
  const kept = await meta("code");
  const known = await meta("grant");
  if (!kept || !known) return "gone";
  // counted before it is tried: whoever pulls the plug has not got a free try
  const wrong = kept.wrong + 1;
  if (wrong > tries) { await dropMeta(["code"]); return "gone"; }
  await setMeta("code", Object.assign({}, kept, { wrong: wrong }));
  try {
    const raw = await crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.iv }, await codeKey(code, kept.salt, kept.rounds), kept.box);
    key = await imported(raw);
    new Uint8Array(raw).fill(0);
  } catch (error) {
    if (wrong >= tries) { await dropMeta(["code"]); return "gone"; }
    return "wrong";
  }
  grant = known.id;
  await setMeta("code", Object.assign({}, kept, { wrong: 0 }));
  return "open";
}

export function lock() { key = null; }

// -- what is closed with it -------------------------------------------------------------------------------------------------------

async function closed(what, value) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const how = { name: "AES-GCM", iv: iv, additionalData: text.encode(what + " " + grant) };
  return { iv: iv, box: await crypto.subtle.encrypt(how, key, text.encode(JSON.stringify(value))) };
}

async function opened(what, kept) {
  const how = { name: "AES-GCM", iv: kept.iv, additionalData: text.encode(what + " " + grant) };
  return JSON.parse(plain.decode(await crypto.subtle.decrypt(how, key, kept.box)));
}

export async function putPack(pack) {
  await setMeta("pack", Object.assign({ grant: grant }, await closed("pack", pack)));
}

export async function getPack() {
  const kept = await meta("pack");
  return kept && kept.grant === grant ? opened("pack", kept) : null;
}

export const UNSENT = ["draft", "ready", "asked", "refused"];

export async function putRecord(record) {
  const box = await closed("record " + record.id, record);
  const row = Object.assign({ id: record.id, grant: grant, state: record.state }, box);
  await written("records", function (change) { change.objectStore("records").put(row); });
  await count();
}

async function rows() { return asked(db.transaction("records").objectStore("records").getAll()); }

export async function records() {
  const mine = (await rows()).filter(function (row) { return row.grant === grant; });
  return Promise.all(mine.map(function (row) { return opened("record " + row.id, row); }));
}

export async function record(id) {
  const row = await asked(db.transaction("records").objectStore("records").get(id));
  return row ? opened("record " + id, row) : null;
}

export async function dropRecord(id) {
  await written("records", function (change) { change.objectStore("records").delete(id); });
  await count();
}

// How many wait, of this account and of others that used this phone. The number alone stands where other pages see it.
export async function count() {
  const known = await meta("grant");
  const waiting = (await rows()).filter(function (row) { return UNSENT.indexOf(row.state) >= 0; });
  const mine = waiting.filter(function (row) { return known && row.grant === known.id; }).length;
  localStorage.setItem("pocket-waiting", String(mine));
  return { mine: mine, others: waiting.length - mine };
}

// -- forgetting -------------------------------------------------------------------------------------------------------------------

// What was taken along goes, and the way to open anything without the server. Records that were not sent stay, closed.
export async function forget() {
  key = null;
  await dropMeta(["pack", "code"]);
  for (const row of await rows()) if (row.state === "sent") await dropRecord(row.id);
}

// Nothing of this account stays; records of others do, closed under their own keys.
export async function leave() {
  const known = await meta("grant");
  key = null;
  for (const row of await rows()) if (known && row.grant === known.id) await dropRecord(row.id);
  if (known) await setMeta("grants", (await remembered()).filter(function (one) { return one.grant !== known.id; }));
  await dropMeta(["pack", "code", "grant", "contact", "used", "terms", "offset", "name"]);
  localStorage.removeItem("pocket-waiting");
}

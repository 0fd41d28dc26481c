// A record: what is written of one visit, from the first keystroke on the disk.

import * as vault from "./vault.js";
import { clock, day, now, offsetNow } from "./dom.js";

export function fresh(visit, kind) {
  const main = visit.forms.find(function (one) { return one.main; });
  return {
    id: crypto.randomUUID(), task: visit.task, title: visit.title, name: visit.person.name, kind: kind, state: "draft", then: visit.then,
    main: main ? main.name : "", parts: {}, hand: null, steps: [], reason: "", begun: now().toISOString(), touchedEnd: false,
    device: "", offset: offsetNow(), wire: null, answer: null, changed: Date.now(), rev: 0,
  };
}

// One after the other: a later keystroke never overtakes an earlier one. A record that another tab has changed is not written over.
let line = Promise.resolve();
export function save(record) {
  record.changed = Date.now();
  const snapshot = JSON.parse(JSON.stringify(record));
  line = line.catch(function () { /* told to whoever waited for it */ }).then(async function () { if (vault.isOpen()) await vault.putRecord(snapshot); });
  return line;
}

export function settled() { return line; }

// Fields of a form as pairs, as a browser would send them.
export function pairs(form) {
  return Array.from(new FormData(form).entries()).filter(function (one) { return typeof one[1] === "string" && one[0] !== "csrf" && one[1] !== ""; });
}

export function fill(form, kept) {
  const given = new Map();
  kept.forEach(function (one) { given.set(one[0], (given.get(one[0]) || []).concat(one[1])); });
  form.querySelectorAll("input, select, textarea").forEach(function (field) {
    if (!field.name || field.name === "csrf") return;
    const values = given.get(field.name) || [];
    if (field.type === "checkbox" || field.type === "radio") field.checked = values.indexOf(field.value) >= 0;
    else field.value = values.length ? values.shift() : "";
  });
}

export function basics(record) {
  const part = record.parts[record.main || "findings"];
  return part ? Object.fromEntries(part.fields) : {};
}

// What goes over the wire; made once, when it is signed, so that sending it again is the same record.
export function seal(record, decision) {
  record.device = new Date().toISOString();
  record.offset = offsetNow();
  const forms = Object.entries(record.parts).filter(function (one) { return one[0] !== "findings" && one[0] !== "note"; }).map(function (one) { return { name: one[0], fields: one[1].fields }; });
  const kept = record.main ? forms : forms.filter(function (one) { return !record.skipped || record.skipped.indexOf(one.name) < 0; });
  record.wire = {
    key: crypto.randomUUID(), task: record.task, kind: record.kind, then: record.then, main: record.kind === "visit" ? record.main : "",
    fields: record.kind === "visit" && !record.main && record.parts.findings ? record.parts.findings.fields : [],
    forms: record.kind === "visit" ? kept : [], note: record.kind === "visit" && record.parts.note ? record.parts.note.fields : [], signature: record.kind === "visit" ? record.hand : null,
    reason: record.kind === "miss" ? record.reason : "", steps: record.kind === "drip" ? record.steps : [],
    device: record.device, offset_then: record.offset, decision: decision || null,
  };
  record.state = "ready";
  record.answer = null;
  return save(record);
}

export function decided(record, choice, seen) {
  record.wire = Object.assign({}, record.wire, { key: crypto.randomUUID(), decision: { choice: choice, seen: seen } });
  record.state = "ready";
  return save(record);
}

// Numbers that no human being has keep one from signing; numbers that are rare are to be looked at once more.
export function judged(form, limits) {
  const found = { impossible: [], unusual: [] };
  form.querySelectorAll("input").forEach(function (field) {
    const bounds = limits[field.name];
    if (!bounds || field.disabled || field.value.trim() === "") return;
    const number = Number(field.value.trim().replace(/[，．。,]/g, "."));
    const label = form.querySelector('label[for="' + CSS.escape(field.id) + '"]');
    const name = (label ? label.textContent : field.getAttribute("aria-label") || field.name).replace("*", "").trim();
    if (!Number.isFinite(number) || number < bounds[0] || number > bounds[1]) found.impossible.push(name);
    else if (number < bounds[2] || number > bounds[3]) found.unusual.push(name);
  });
  form.querySelectorAll(".need").forEach(function (star) {
    const label = star.closest("label, .label");
    const field = label && label.htmlFor ? form.querySelector("#" + CSS.escape(label.htmlFor)) : null;
    if (field && !field.disabled && field.value.trim() === "") found.impossible.push(label.textContent.replace("*", "").trim());
  });
  return found;
}

// The beginning is the moment at which the visit was opened; the end, unless it was typed, the moment at which it is signed.
export function setTimes(fields, record, ending) {
  const told = Object.fromEntries(fields);
  const begun = new Date(record.begun);
  const today = day(now());
  if (!ending) {
    told.day = day(begun);
    told.start = clock(begun);
    told.end = clock(begun);
  } else if (!record.touchedEnd && told.day === today && told.start && told.start <= clock(now())) {
    told.end = clock(now());
  }
  const rest = fields.filter(function (one) { return ["day", "start", "end"].indexOf(one[0]) < 0; });
  return [["day", told.day], ["start", told.start], ["end", told.end]].concat(rest);
}

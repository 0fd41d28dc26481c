// One visit: what to be careful of, what to fill in, the signature; and nobody at home.

import { h, icon, say, chip, told, clock, dayName, day, sheet } from "./dom.js";
import { callTo, wayTo } from "./days.js";
import { STATES, toDesk } from "./doors.js";
import * as vault from "./vault.js";
import { basics, fill, fresh, judged, pairs, save, seal, setTimes, settled } from "./record.js";

// Only one tab writes on a visit at a time.
function hold(task) {
  return new Promise(function (done) {
    navigator.locks.request("healthsvc-pocket-visit " + task, { ifAvailable: true }, function (lock) {
      if (!lock) { done(null); return undefined; }
      return new Promise(function (release) { done(release); });
    });
  });
}

export async function showVisit(app, visit, record, part) {
  if (!visit) return { node: orphan(app, record) };
  const open = visit.findings !== "" && !(record && (record.state === "sent" || record.state === "ready"));
  const release = open ? await hold(visit.task) : null;
  let view;
  if (part && open && release) view = part === "sign" ? signing(app, visit, record || fresh(visit, "visit")) : writing(app, visit, record || fresh(visit, "visit"), part);
  else view = { node: overview(app, visit, record, open && Boolean(release), open && !release) };
  const leave = view.leave;
  view.leave = async function () {
    if (leave) await leave();
    await settled();
    if (release) release();
    await app.reload().catch(function () { /* locked meanwhile: nothing to read */ });
    app.changed();
  };
  return view;
}

function orphan(app, record) {
  return h("div", {}, h("div", { class: "head" }, h("h1", {}, record.name)), told("amber", h("p", {}, say("此次上门已不在手机的三天之内。") + say(STATES[record.state]))), actionsOf(app, record));
}

function head(visit) {
  return [h("div", { class: "head" }, h("div", { class: "grow" },
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, say("我的三天")), " › "),
    h("h1", {}, visit.person.name, " ", h("span", { class: "muted small" }, [visit.person.sex ? say(visit.person.sex) : "", visit.person.age ? say("{n} 岁", { n: visit.person.age }) : ""].join(" "))),
    h("div", { class: "chips" }, chip("main", visit.title), visit.warnings.map(function (one) { return chip("red", say("过敏") + " " + one); }))))];
}

export function facts(visit) {
  const person = visit.person;
  return sheet(say("上门前"), h("div", { class: "in" }, h("dl", { class: "facts" },
    h("dt", {}, say("时间")), h("dd", {}, dayName(day(visit.start)) + " " + clock(visit.start) + "–" + clock(visit.end)),
    h("dt", {}, say("人员")), h("dd", {}, visit.staff.join("、")),
    h("dt", {}, say("住址")), h("dd", {}, person.address || say("未登记")),
    person.phones.map(function (phone) { return [h("dt", {}, say("电话")), h("dd", {}, h("a", { class: "keep", href: "tel:" + phone }, phone))]; }),
    person.contacts.map(function (one) { return [h("dt", {}, one.relation || say("家属")), h("dd", {}, one.name + " ", h("a", { class: "keep", href: "tel:" + one.phone }, one.phone))]; }),
    visit.illnesses.map(function (one) { return [h("dt", {}, say("诊断")), h("dd", {}, one)]; }),
    visit.last.map(function (one) { return [h("dt", {}, one.name), h("dd", {}, h("b", {}, one.text), " ", h("span", { class: "muted small keep" }, one.on))]; }),
    (visit.reports || []).map(function (one) { return [h("dt", {}, say("检查报告")), h("dd", {}, h("a", { href: "/reports/" + encodeURIComponent(one.id), target: "_blank", rel: "noopener" }, one.title), " ", h("span", { class: "muted small keep" }, one.on))]; })),
    (visit.reports || []).length ? h("p", { class: "hint" }, say("检查报告和附件联网时查看，不留在手机上。")) : null,
    h("p", { class: "actions" }, callTo(person), wayTo(person))));
}

function part(visit, record, name, title) {
  const filled = record && record.parts[name];
  return h("li", {}, h("div", { class: "grow" }, h("a", { class: "who", href: "#/visit/" + visit.task + "/" + name }, title),
    h("span", { class: "sub" }, filled ? say("已填 {n} 项", { n: filled.fields.length }) : say("未填"))), filled ? h("span", { class: "chip green" }, icon("check")) : icon("next"));
}

function overview(app, visit, record, open, elsewhere) {
  const parts = [head(visit)];
  if (elsewhere) parts.push(told("amber", h("p", {}, say("此次上门正在另一个页面填写，请到那里继续。"))));
  if (record && record.state === "refused") {
    parts.push(told("red", [h("p", {}, h("strong", {}, say("没有存入，请改正后再签发。"))), record.answer.told.map(function (one) { return h("p", {}, one); })]));
  }
  if (record && (record.state === "ready" || record.state === "sent")) {
    parts.push(told(record.state === "sent" ? "green" : "amber", h("p", {}, say(record.state === "sent" ? "已存入系统。" : "已签发，等待同步。有网络时自动送出。"))));
    if (record.state === "ready") parts.push(actionsOf(app, record));
  } else if (!open && !elsewhere) {
    parts.push(told("amber", h("p", {}, say(visit.status === "on-hold" ? "本人住院或外出，服务已暂停。" : "此项服务已结束"))));
  }
  if (open) parts.push(todo(app, visit, record));
  parts.push(facts(visit));
  if (open && !(record && Object.keys(record.parts).length)) parts.push(nobody(app, visit, record));
  return h("div", { class: "stacked" }, parts);
}

function todo(app, visit, record) {
  const main = visit.forms.find(function (one) { return one.main; });
  const byForm = main && (!record || record.main);
  const rows = [byForm ? part(visit, record, main.name, main.title) : part(visit, record, "findings", say("上门结果"))];
  visit.forms.filter(function (one) { return !one.main; }).forEach(function (one) { rows.push(part(visit, record, one.name, one.title)); });
  if (visit.note) rows.push(part(visit, record, "note", say("查床记录")));
  const ready = record && record.parts[byForm ? main.name : "findings"];
  rows.push(h("li", {}, h("div", { class: "grow" }, h("a", { class: "who", href: "#/visit/" + visit.task + "/sign" }, say("本人或家属签字")), h("span", { class: "sub" }, record && record.hand ? record.hand.name + " " + record.hand.relation : say("未签"))), record && record.hand ? h("span", { class: "chip green" }, icon("check")) : icon("next")));
  const place = h("div", {});
  async function finish() {
    const wrong = check(visit, record);
    if (wrong.length) { place.replaceChildren(told("red", wrong.map(function (one) { return h("p", {}, one); }))); return; }
    const name = record.main || "findings";
    record.parts[name].fields = setTimes(record.parts[name].fields, record, true);
    record.kind = "visit";
    await seal(record);
    await app.reload();
    app.changed();
    app.go("#/");
    await app.run();
  }
  const swap = main ? h("button", { type: "button", class: "quiet", onclick: async function () {
    const made = record || fresh(visit, "visit");
    made.main = byForm ? "" : main.name;
    if (byForm) delete made.parts[main.name]; else delete made.parts.findings;
    await save(made);
    await app.reload();
    await app.show();
  } }, byForm ? say("改填简要结果") : say("改按表单填写")) : null;
  const drop = record && record.state === "draft" ? h("button", { type: "button", class: "quiet", onclick: async function () {
    if (!window.confirm(say("删除这份草稿？已填的内容会丢失。"))) return;
    await settled();
    await vault.dropRecord(record.id);
    await app.reload();
    app.changed();
    await app.show();
  } }, say("删除草稿")) : null;
  return h("section", { class: "sheet" }, h("header", {}, h("h2", {}, say("办理"))), h("ol", { class: "rows" }, rows), place,
    h("div", { class: "foot" }, h("button", { class: "big", disabled: !ready, onclick: finish }, icon("check"), say("签发，完成上门")), swap, drop,
      record && record.state === "refused" ? h("button", { class: "second", onclick: async function () { await vault.putRecord(toDesk(record)); await app.reload(); app.go("#/"); await app.run(); } }, say("交协调员")) : null));
}

function check(visit, record) {
  const told = [];
  const given = basics(record);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(given.day || "")) told.push(say("日期写作 2026-01-31"));
  if (!/^\d{1,2}:\d{2}$/.test(given.start || "")) told.push(say("开始时间写作 09:30"));
  Object.values(record.parts).forEach(function (one) { (one.impossible || []).forEach(function (name) { told.push(say("{name}：缺少或数值不合理，请核对。", { name: name })); }); });
  if (given.day > visit.closes && !given.late_reason) told.push(say("已过窗口期，请选延迟原因。"));
  return told;
}

function nobody(app, visit, record) {
  const reason = h("select", { id: "missed", name: "missed" }, (app.pack.missed || []).map(function (one) { return h("option", { value: one[0] }, one[1]); }));
  return h("details", { class: "sheet fold" }, h("summary", {}, say("无法完成")), h("div", { class: "in" }, h("label", { for: "missed" }, say("原因")),
    h("p", { class: "pair" }, reason, h("button", { class: "danger", onclick: async function () {
      const made = record || fresh(visit, "miss");
      made.kind = "miss";
      made.reason = reason.value;
      await seal(made);
      await app.reload();
      app.changed();
      app.go("#/");
      await app.run();
    } }, say("记为未访"))), h("p", { class: "hint" }, say("记为未访后计入考核，不再提醒。"))));
}

function writing(app, visit, record, name) {
  const known = visit.forms.find(function (one) { return one.name === name; });
  const html = name === "findings" ? visit.findings : name === "note" ? visit.note : known ? known.html : "";
  const holder = document.createElement("template");
  holder.innerHTML = html; // the server's own form, escaped there; scripts in it would not run under the policy
  const form = holder.content.querySelector("form");
  if (!form) return { node: h("p", {}, say("没有这张表")) };
  form.querySelectorAll('input[name="csrf"], .foot, header').forEach(function (one) { one.remove(); });
  form.removeAttribute("action");
  form.setAttribute("autocomplete", "off");
  const isMain = name === (record.main || "findings");
  const kept = record.parts[name];
  if (kept) fill(form, kept.fields);
  else if (isMain) fill(form, setTimes(pairs(form), record, false));
  const note = h("div", {});
  const saved = h("p", { class: "muted small", role: "status" });
  async function keep(event) {
    if (event && event.target.name === "end") record.touchedEnd = true;
    const found = judged(form, visit.limits);
    record.parts[name] = { fields: pairs(form), impossible: found.impossible, unusual: found.unusual };
    if (record.state === "refused") { record.state = "draft"; }
    saved.textContent = "";
    await save(record);
    saved.textContent = say("已保存在手机上");
    note.replaceChildren(...[
      found.impossible.length && event && event.type === "change" ? told("red", h("p", {}, say("缺少或数值不合理：") + found.impossible.join("、"))) : "",
      found.unusual.length ? told("amber", h("p", {}, say("数值少见，请核对：") + found.unusual.join("、"))) : ""].filter(Boolean));
  }
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("submit", function (event) { event.preventDefault(); app.go("#/visit/" + visit.task); });
  form.querySelectorAll("[data-show]").forEach(function (one) {
    one.addEventListener("click", function () { form.querySelectorAll(one.dataset.show).forEach(function (row) { row.hidden = false; }); one.parentElement.hidden = true; });
  });
  form.append(h("div", { class: "foot" }, note, saved, h("button", { class: "big" }, icon("check"), say("填好了"))));
  return {
    node: h("div", { class: "stacked" }, head(visit), h("h2", { class: "part-title" }, name === "findings" ? say("上门结果") : name === "note" ? say("查床记录") : known.title), form),
    ready: function () { if (form.hasAttribute("data-form")) window.watchForm(form); form.querySelectorAll(".row-of").forEach(function (row) { if (Array.from(row.querySelectorAll("input, select")).some(function (one) { return one.value; })) row.hidden = false; }); },
  };
}

function signing(app, visit, record) {
  const side = h("select", { id: "side", "data-side": true }, h("option", { value: "self" }, say("本人")), h("option", { value: "proxy", selected: Boolean(record.hand && record.hand.relation) }, say("家属或照护人代签")));
  const drawing = h("input", { type: "hidden", name: "drawing", value: record.hand ? JSON.stringify(record.hand.drawing) : "" });
  const name = h("input", { id: "signer", name: "name", maxlength: 60, value: record.hand && record.hand.relation ? record.hand.name : "" });
  const relation = h("input", { id: "relation", name: "relation", maxlength: 60, placeholder: say("女儿、保姆……"), value: record.hand ? record.hand.relation : "" });
  const button = h("button", { class: "big", "data-busy": say("正在保存…") }, icon("check"), say("签好了"));
  const form = h("form", { class: "sheet", "data-sign": true, autocomplete: "off" }, h("div", { class: "in" },
    h("select", { "data-kind": true, hidden: true, "aria-hidden": "true" }, h("option", { value: "drawn" })), drawing,
    h("p", {}, h("label", { for: "side" }, say("签字人")), side),
    h("p", { "data-proxy": true }, h("label", { for: "signer" }, say("姓名")), name), h("p", { "data-proxy": true }, h("label", { for: "relation" }, say("与本人关系")), relation),
    h("div", { "data-pad": true }, h("p", { class: "muted small", "data-state": true }, say("请在框内签字")), h("canvas", { class: "pad", role: "img", "aria-label": say("签字区") }), h("p", {}, h("button", { type: "button", class: "quiet", "data-clear": true }, say("重签"))))),
    h("div", { class: "foot" }, button));
  async function keep() {
    const proxy = side.value === "proxy";
    record.hand = drawing.value && (!proxy || (name.value.trim() && relation.value.trim()))
      ? { name: proxy ? name.value.trim() : visit.person.name, relation: proxy ? relation.value.trim() : "", drawing: JSON.parse(drawing.value) } : null;
    await save(record);
  }
  form.addEventListener("change", keep);
  form.addEventListener("submit", async function (event) { event.preventDefault(); await keep(); app.go("#/visit/" + visit.task); });
  return { node: h("div", { class: "stacked" }, head(visit), h("h2", { class: "part-title" }, say("本人或家属签字")), form), ready: function () { window.prepareSigning(form); } };
}

// A record that waits can be taken back as long as it has not been sent; or be left to the desk.
export function actionsOf(app, record) {
  return h("p", { class: "actions" },
    record.state === "ready" && record.kind !== "drip" && !record.wire.decision ? h("button", { class: "second", onclick: async function () {
      await navigator.locks.request("healthsvc-pocket-sync", async function () {
        const now = await vault.record(record.id);
        if (!now || now.state !== "ready") return; // it was sent a moment ago
        await vault.putRecord(Object.assign(now, { state: "draft", kind: "visit", wire: null }));
      });
      await app.reload();
      await app.show();
    } }, say("撤回再改")) : null,
    h("button", { class: "second", onclick: function () { app.run(); } }, say("同步")));
}

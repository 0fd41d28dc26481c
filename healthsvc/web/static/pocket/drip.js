// A drip at the bedside without network: what runs is watched, ended and stopped; what begins needs the server, and says why.

import { h, icon, say, chip, told, clock, now } from "./dom.js";
import { facts, actionsOf } from "./visit.js";
import { fill, fresh, pairs, seal } from "./record.js";

const typed = new Map(); // what has been typed for a step and not been taken yet: a view that is drawn again shows it again

const RUNNING = ["running", "ended", "reacting", "stopped", "alarmed"];

function stepOf(drip, record) {
  let step = drip.step;
  (record ? pending(drip, record) : []).forEach(function (one) { step = (drip.table[step] || {})[one.act] || step; });
  return step;
}

// Steps of the record that the days do not show yet.
function pending(drip, record) {
  const there = drip.log.map(function (one) { return one.act + Math.floor(Date.parse(one.at) / 1000); });
  return record.steps.filter(function (one) { return there.indexOf(one.act + Math.floor(Date.parse(one.at) / 1000)) < 0; });
}

function due(drip, log, step) {
  const last = log[log.length - 1];
  if (!last) return null;
  if (step === "running") return { title: say("下次巡视"), at: Date.parse(last.at) + drip.check * 60000 };
  if (step === "ended") {
    const end = log.filter(function (one) { return one.act === "end"; }).pop();
    return { title: say("观察至"), at: Date.parse(end.at) + drip.observe * 60000 };
  }
  return null;
}

export function showDrip(app, visit, record) {
  const drip = visit.drip;
  const step = stepOf(drip, record);
  const log = drip.log.concat(record ? pending(drip, record) : []);
  const acts = Object.keys(drip.table[step] || {});
  const over = ["completed", "cancelled", "failed", "on-hold"].indexOf(visit.status) >= 0;
  app.drip = RUNNING.indexOf(step) >= 0; // the page of a drip that runs does not lock itself
  async function take(act, form) {
    const made = record && record.state !== "sent" ? record : record || fresh(visit, "drip");
    const given = form ? new FormData(form) : new FormData();
    const words = given.getAll("sign").concat(given.get("text") ? [given.get("text")] : []).join("、");
    const entry = { act: act, at: now().toISOString().slice(0, 19) + "Z", text: words, matched: given.getAll("matched"), vitals: null };
    if (drip.with_vitals.indexOf(act) >= 0) {
      const signs = {};
      drip.vitals.forEach(function (one) { const typed = String(given.get(one[0]) || "").trim(); signs[one[0]] = typed === "" ? null : one[0] === "temperature" ? typed : Number(typed); });
      entry.vitals = signs;
    }
    const wrong = refused(drip, act, entry, log, step);
    if (wrong) { form.querySelector(".wrong-here").replaceChildren(told("red", h("p", {}, wrong))); return; }
    typed.delete(visit.task + act);
    made.steps = made.steps.concat([entry]);
    await seal(made);
    await app.reload();
    app.changed();
    await app.show();
    app.run();
  }
  const parts = [h("div", { class: "head" }, h("div", { class: "grow" }, h("p", { class: "crumbs" }, h("a", { href: "#/" }, say("我的三天")), " › "), h("h1", {}, visit.person.name),
    h("div", { class: "chips" }, chip("violet", visit.title), visit.warnings.map(function (one) { return chip("red", say("过敏") + " " + one); }))))];
  if (record && record.state === "refused") parts.push(told("red", [h("p", {}, h("strong", {}, say("步骤没有存入，请联网到床旁页面核对。"))), record.answer.told.map(function (one) { return h("p", {}, one); })]));
  if (app.problem === "offline" && app.drip) parts.push(told("red", h("p", {}, say("现在没有网络：系统不会替你呼叫。出现反应立即停止输液、拨打 120，并电话告知医生和家属。"))));
  const timer = due(drip, log, step);
  const counted = timer ? h("b", { "data-at": String(timer.at) }) : null;
  if (timer) parts.push(h("div", { class: "timers" }, h("div", { class: "timer", role: "timer" }, h("span", {}, timer.title + " ", h("span", { class: "keep" }, clock(timer.at))), counted)));
  if (!over) acts.forEach(function (act) { parts.push(card(drip, act, step, visit, take)); });
  parts.push(h("section", { class: "sheet" }, h("header", {}, h("h2", {}, say("床旁记录"), h("span", { class: "count" }, String(log.length)))), log.length ? h("ol", { class: "rows" }, log.map(function (one, place) {
    return h("li", {}, h("time", { class: "keep" }, clock(one.at)), h("div", { class: "grow" }, h("span", { class: "strong" }, drip.acts[one.act]), one.text ? h("span", { class: "sub" }, one.text) : null), place >= drip.log.length && record.state !== "sent" ? h("span", { class: "unsent ready", role: "img", "aria-label": say("等待同步") }, icon("task")) : null);
  })) : h("p", { class: "in muted" }, say("还没有记录"))));
  parts.push(h("section", { class: "sheet" }, h("header", {}, h("h2", {}, say("医嘱"))), h("div", { class: "in" }, h("p", {}, drip.order), drip.doctor.name ? h("p", {}, say("开单医生") + " " + drip.doctor.name + " ", drip.doctor.phone ? h("a", { class: "keep", href: "tel:" + drip.doctor.phone }, drip.doctor.phone) : null) : null, h("p", {}, h("a", { href: "tel:120" }, h("strong", {}, "120"))))));
  parts.push(facts(visit));
  if (record && record.state === "ready") parts.push(actionsOf(app, record));
  let beat = 0;
  return {
    node: h("div", { class: "stacked at-bed" }, parts),
    ready: function () {
      if (!counted) return;
      function tick() {
        const left = (timer.at - now().getTime()) / 1000;
        const whole = Math.abs(Math.round(left));
        const shown = Math.floor(whole / 60) + ":" + String(whole % 60).padStart(2, "0");
        counted.textContent = left >= 0 ? shown : say("已超 {n}", { n: shown });
        counted.parentElement.classList.toggle("late", left < 0);
        if (Math.round(left) === 0 && navigator.vibrate) navigator.vibrate([400, 200, 400]);
      }
      tick();
      beat = setInterval(tick, 1000);
    },
    leave: async function () { clearInterval(beat); },
  };
}

// What the protocol would refuse later is refused now, at the bed.
function refused(drip, act, entry, log, step) {
  if (act === "identify" && new Set(entry.matched).size < 2) return say("至少两项相符。");
  if (entry.vitals && (entry.vitals.systolic === null || entry.vitals.diastolic === null || entry.vitals.pulse === null || entry.vitals.temperature === null)) return say("血压、脉搏、体温都要填。");
  if (entry.vitals && ["systolic", "diastolic", "pulse"].some(function (name) { return !Number.isInteger(entry.vitals[name]); })) return say("数值无法识别，请核对。");
  if (drip.with_words.indexOf(act) >= 0 && !entry.text) return say("请写几个字：看到什么、怎样处理。");
  if (act === "observe" && step === "ended") {
    const end = log.filter(function (one) { return one.act === "end"; }).pop();
    if (now().getTime() < Date.parse(end.at) + drip.observe * 60000) return say("输液结束后须观察 {n} 分钟。", { n: drip.observe });
  }
  return "";
}

function card(drip, act, step, visit, take) {
  if (drip.server[act]) {
    return h("section", { class: "sheet step" }, h("header", {}, h("h2", {}, drip.acts[act])), h("div", { class: "in" }, told("amber", [h("p", {}, h("strong", {}, say("这一步要联网办理"))), h("p", {}, drip.server[act])]),
      h("p", { class: "actions" }, h("a", { class: "button big", href: "/visits/" + visit.task + "/bedside" }, say("打开床旁页面")))));
  }
  const inner = [];
  if (act === "identify") inner.push(h("p", { class: "hint" }, say("请患者自己说出，再与证件或档案核对；至少两项相符。")), h("p", { class: "small muted" }, visit.person.name + " · " + drip.birth), ticks("matched", drip.matched));
  if (drip.with_vitals.indexOf(act) >= 0) inner.push(h("div", { class: "fields" }, drip.vitals.map(function (one) { const id = act + "-" + one[0]; return h("div", {}, h("label", { for: id }, one[1]), h("div", { class: "unit" }, h("input", { id: id, name: one[0], inputmode: "decimal", maxlength: 6, autocomplete: "off" }), h("span", {}, one[2]))); })));
  if (act === "react") inner.push(ticks("sign", drip.signs.map(function (one) { return [one, one]; })));
  if (act === "alarm") inner.push(h("p", {}, h("a", { class: "button danger big", href: "tel:120" }, icon("phone"), say("拨打 120"))), visit.person.contacts.map(function (one) { return h("p", {}, h("a", { class: "button second", href: "tel:" + one.phone }, one.name + " " + one.phone)); }));
  if (act === "stop") inner.push(h("p", {}, say("立即关闭滴管，更换输液器，保留静脉通路；保留药液和输液器备查。")));
  if (drip.with_words.indexOf(act) >= 0 || act === "check") { const id = "text-" + act; inner.push(h("p", {}, h("label", { for: id }, say({ refuse: "为什么不输", react: "还看到什么", refer: "转往哪里、如何转", report: "处理经过和结果" }[act] || "所见（可不填）")), h("input", { id: id, name: "text", maxlength: 500, autocomplete: "off" }))); }
  const grave = ["refuse", "react", "stop", "alarm"].indexOf(act) >= 0;
  const form = h("form", { class: "sheet step", "data-act": act, autocomplete: "off" }, h("header", {}, h("h2", {}, drip.acts[act])), h("div", { class: "in" }, inner, h("div", { class: "wrong-here" }), h("button", { class: "big " + (grave ? "danger" : "") }, drip.acts[act])));
  form.addEventListener("submit", function (event) { event.preventDefault(); take(act, form); });
  form.addEventListener("input", function () { typed.set(visit.task + act, pairs(form)); });
  if (typed.has(visit.task + act)) fill(form, typed.get(visit.task + act));
  const folded = act === "refuse" || act === "react" || (step === "running" && act === "end") || (step === "measured" && act === "measure");
  if (!folded) return form;
  return h("details", { class: "sheet fold " + (act === "react" ? "red" : "") }, h("summary", {}, drip.acts[act]), form);
}

function ticks(name, rows) {
  return h("div", { class: "ticks" }, rows.map(function (one) { return h("label", {}, h("input", { type: "checkbox", name: name, value: one[0] }), h("span", {}, one[1])); }));
}

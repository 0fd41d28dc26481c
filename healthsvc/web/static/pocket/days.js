// My next days: in the order of the way, with times, calls and the way there; icons only on what has not been sent.

import { h, icon, say, chip, told, clock, dayName, day, now, sheet } from "./dom.js";
import { STATES } from "./doors.js";

const TONES = { "quarterly-checkup": "main", "home-bed-round": "blue", "home-infusion": "violet", "follow-up": "amber", "admission-visit": "amber" };
const OVER = { completed: ["green", "已完成"], cancelled: ["", "已取消"], failed: ["red", "未访"], "on-hold": ["amber", "暂停"], "in-progress": ["blue", "进行中"] };
const MARKS = { draft: ["note", "草稿，未签发"], ready: ["up", "等待同步"], asked: ["warn", "两边有出入，请决定"], refused: ["warn", "被退回，请改正"] };

// geo: opens the phone's own map; no page of anybody is asked.
export function wayTo(person) {
  if (!person.position) return null;
  const at = person.position.join(",");
  return h("a", { class: "button second small", href: "geo:" + at + "?q=" + at + "(" + encodeURIComponent(person.address || person.name) + ")" }, icon("route"), say("导航"));
}

export function callTo(person) {
  return person.phones.slice(0, 1).map(function (phone) {
    return h("a", { class: "button second small", href: "tel:" + phone }, icon("phone"), say("拨打"));
  });
}

export function mark(record) {
  if (!record || !MARKS[record.state]) return null;
  const known = MARKS[record.state];
  return h("span", { class: "unsent " + record.state, role: "img", "aria-label": say(known[1]), title: say(known[1]) }, icon(known[0] === "up" ? "task" : known[0]));
}

function stop(app, visit, number) {
  const record = app.recordOf(visit.task);
  const sent = record && record.state === "sent";
  const over = sent && !visit.drip ? ["green", "已完成"] : OVER[visit.status];
  return h("li", { class: "carried " + (over && over[0] === "green" ? "done" : "") },
    h("div", { class: "when" }, h("time", { datetime: visit.start }, clock(visit.start)), h("span", { class: "nth" }, String(number))),
    h("div", { class: "grow" },
      h("a", { class: "who", href: "#/visit/" + visit.task }, visit.person.name, mark(record)),
      h("span", { class: "chips" }, chip(TONES[visit.kind] || "", visit.title), over ? chip(over[0], say(over[1])) : null, visit.urgent ? chip("red", say("优先")) : null, visit.person.alone ? chip("", say("独居")) : null),
      h("span", { class: "sub" }, visit.person.address || visit.person.area),
      visit.warnings.length ? h("span", { class: "sub red" }, icon("warn"), say("过敏") + " " + visit.warnings.join("、")) : null,
      h("span", { class: "actions" }, callTo(visit.person), wayTo(visit.person))));
}

export function showDays(app) {
  const parts = [];
  const today = day(now());
  parts.push(h("div", { class: "head" }, h("div", { class: "grow" }, h("h1", {}, say("我的三天")), h("p", { class: "muted small" }, app.pack ? say("取于 {time}", { time: dayName(day(app.pack.now)) + " " + clock(app.pack.now) }) : "")),
    h("div", { class: "actions" }, h("button", { class: "second small", onclick: function () { app.run(); } }, say("同步")), h("a", { class: "button second small", href: "/mine/day" }, say("联网页面")))));
  const shown = new Set(app.visits().map(function (one) { return one.task; }));
  const loose = app.records.filter(function (one) { return one.state !== "sent" && (!shown.has(one.task) || one.state === "asked" || one.state === "refused"); });
  if (loose.length) {
    parts.push(sheet(say("要处理的记录"), h("ul", { class: "rows" }, loose.map(function (one) {
      return h("li", {}, h("div", { class: "grow" }, h("a", { class: "who", href: "#/visit/" + one.task }, one.name, mark(one)), h("span", { class: "sub" }, one.title + " · " + say(STATES[one.state]))));
    })), h("span", { class: "count" }, String(loose.length))));
  }
  if (app.others) parts.push(told("amber", h("p", {}, say("另有 {n} 条其他账号的未同步记录，请该账号登录后同步。", { n: app.others }))));
  if (!app.pack) parts.push(h("div", { class: "sheet" }, h("div", { class: "empty" }, icon("today"), h("p", {}, h("strong", {}, say("还没有带上资料"))), h("p", {}, say("联网打开一次，三天的上门就在手机上。")))));
  (app.pack ? app.pack.days : []).forEach(function (one) {
    const title = (one.on === today ? say("今天") + " " : "") + dayName(one.on);
    const list = one.visits.length ? h("ol", { class: "rows" }, one.visits.map(function (visit, number) { return stop(app, visit, number + 1); }))
      : h("p", { class: "in muted" }, say("没有安排上门。"));
    parts.push(sheet(title, list, h("span", { class: "count" }, String(one.visits.length))));
  });
  return { node: h("div", {}, parts) };
}

// The application: opens what lies here, shows one view at a time, hands in what waits, locks itself, forgets in time.

import * as vault from "./vault.js";
import * as wire from "./wire.js";
import { sync } from "./sync.js";
import { h, icon, say, speak, told, setOffset, setZone } from "./dom.js";
import { showDays } from "./days.js";
import { showVisit } from "./visit.js";
import { showDrip } from "./drip.js";
import { showSides } from "./sides.js";
import { showCode, showLocked, showLeaving, showUnfit } from "./doors.js";

const main = document.getElementById("main");
const state = document.getElementById("state");
const channel = new BroadcastChannel("healthsvc-pocket");
const HOUR = 3600000;

const app = {
  pack: null, records: [], online: navigator.onLine, problem: "", busy: false, terms: { lock_minutes: 10, retry_seconds: 30, batch: 20, code_length: 6, code_tries: 5, keep_hours: 72, idle_hours: 14 },
  name: "", drip: false, others: 0, raw: null, message: "", newer: null,
  reload: reload, run: run, go: go, show: show, tell: tell, changed: changed, opened: opened, forgotten: forgotten,
};

function tell(text) { app.message = text; show(); }
function go(to) { if (location.hash === to) show(); else location.hash = to; }

async function reload() {
  app.pack = await vault.getPack();
  app.records = await vault.records();
  app.others = (await vault.count()).others;
}

// Other tabs of this browser look again.
function changed(how) { channel.postMessage(how || "changed"); }

function visits() { return app.pack ? app.pack.days.flatMap(function (day) { return day.visits; }) : []; }
app.visits = visits;

// What the view of a visit shows, to see whether it has changed.
function shown() {
  const task = location.hash.split("/")[2];
  return JSON.stringify([visits().find(function (one) { return one.task === task; }) || null, app.recordOf(task)]);
}
app.recordOf = function (task) { return app.records.find(function (one) { return one.task === task; }) || null; };

let leaveView = null;
let showing = null;
let again = false;
// One view at a time: of two that came in between each other the second would find the first one's lock on the visit, and call it another page's.
function show() {
  again = true;
  showing = showing || (async function () {
    try {
      while (again) { again = false; await turn(); }
    } finally {
      showing = null;
    }
  })();
  return showing;
}

async function turn() {
  if (leaveView) { const act = leaveView; leaveView = null; await act(); }
  const way = location.hash.split("/");
  app.drip = false;
  let view;
  if (!vault.isOpen()) view = await showLocked(app, way[1] === "leaving");
  else if (app.raw && !(await vault.hasCode())) view = showCode(app);
  else if (way[1] === "leaving") view = showLeaving(app);
  else if (way[1] === "visit" && way[2]) {
    const visit = visits().find(function (one) { return one.task === way[2]; });
    const record = app.recordOf(way[2]);
    if (record && record.state === "asked") view = showSides(app, record);
    else if (visit && visit.drip) view = showDrip(app, visit, record);
    else if (visit || record) view = await showVisit(app, visit, record, way[3] || "");
    else view = showDays(app);
  } else view = showDays(app);
  leaveView = view.leave || null;
  main.replaceChildren(bar(), view.node);
  if (view.ready) view.ready();
  status();
}
app.status = status;

function bar() {
  const parts = [];
  if (app.message) { parts.push(told("amber", h("p", {}, app.message))); app.message = ""; }
  if (app.problem === "signed-out") {
    parts.push(told("amber", [h("p", {}, say("登录已结束。登录后自动同步，手机上的记录都在。")), h("p", { class: "actions" }, h("a", { class: "button small", href: "/sign-in?next=/pocket" }, say("登录")))]));
  }
  if (app.newer) parts.push(told("amber", [h("p", {}, say("有新版本，更新不影响未同步的记录。")), h("p", { class: "actions" }, h("button", { class: "small", onclick: function () { app.newer.postMessage("take over"); } }, say("现在更新")))]));
  return h("div", { id: "bar" }, parts);
}

function status() {
  const waiting = app.records.filter(function (one) { return vault.UNSENT.indexOf(one.state) >= 0; }).length;
  const words = [app.online && app.problem !== "offline" ? say("有网络") : say("无网络")];
  if (waiting) words.push(say("{n} 条待同步", { n: waiting }));
  state.replaceChildren(h("span", { class: "dot " + (app.online && app.problem !== "offline" ? "on" : "off"), "aria-hidden": "true" }), words.join(" · "));
  if (app.busy) state.append(" · " + say("正在同步…"));
}

// -- time: the clock of the lock and of forgetting ---------------------------------------------------------------------------------

let touched = Date.now();
["pointerdown", "keydown", "input"].forEach(function (name) {
  document.addEventListener(name, function () { touched = Date.now(); }, { passive: true, capture: true });
});

async function used() {
  const highest = Math.max(Date.now(), (await vault.meta("used")) || 0);
  await vault.setMeta("used", highest);
}

// Days that are too old, or that nobody has used, are forgotten; also without network. A clock that was put back does not help.
async function mindTime() {
  const contact = await vault.meta("contact");
  const seen = (await vault.meta("used")) || 0;
  const now = Math.max(Date.now(), seen);
  if (!contact || !(await vault.meta("pack"))) return;
  if (now - contact > app.terms.keep_hours * HOUR || (seen && now - seen > app.terms.idle_hours * HOUR)) {
    await vault.forget();
    forgotten(say("太久没有联系或使用，随身资料已清除。未同步的记录仍在，登录后可继续。"));
  }
}

function forgotten(message) {
  app.pack = null; app.records = []; app.raw = null;
  channel.postMessage("forgotten");
  app.message = message || "";
  show();
}

async function tick() {
  await mindTime();
  if (vault.isOpen()) {
    if (Date.now() - touched < 60000) await used();
    if (!app.drip && Date.now() - touched > app.terms.lock_minutes * 60000) {
      if (leaveView) { const act = leaveView; leaveView = null; await act(); }
      vault.lock();
      app.pack = null; app.records = []; app.raw = null;
      await show();
    }
  }
}

// -- contact -----------------------------------------------------------------------------------------------------------------------

async function run() {
  if (app.busy) { app.again = true; return; } // what was signed meanwhile goes right after
  app.busy = true;
  status();
  try {
    if (!vault.isOpen()) return;
    const before = shown();
    const result = await sync(app.terms.batch);
    if (result.problem === "ended") return forgotten(say("账号已停用、锁定或改了密码，随身资料已清除。未同步的记录仍在，登录后可继续。"));
    const was = app.problem;
    app.problem = result.problem;
    if (result.problem === "") {
      await reload();
      app.terms = Object.assign(app.terms, await vault.meta("terms"));
      changed();
    }
    // what is being written is not taken from under the pen
    const writing = location.hash.split("/").length > 3;
    if (result.problem === "" && !writing && (shown() !== before || was !== "" || !location.hash.startsWith("#/visit/"))) await show();
    else if (was !== app.problem) document.getElementById("bar").replaceWith(bar());
  } finally {
    app.busy = false;
    status();
  }
  if (app.again) { app.again = false; await run(); }
}

async function opened() {
  await used();
  await reload();
  await show();
  await run();
}

async function boot() {
  speak(JSON.parse(document.body.dataset.words || "{}"));
  if (!window.isSecureContext || !window.indexedDB || !navigator.locks || !crypto.subtle) { main.replaceChildren(showUnfit().node); return; }
  await vault.open();
  app.terms = Object.assign(app.terms, (await vault.meta("terms")) || {});
  if (app.terms.zone) setZone(app.terms.zone);
  setOffset((await vault.meta("offset")) || 0);
  await mindTime();
  worker();
  try {
    if (!(await wire.stands())) { await vault.forget(); app.message = say("账号已停用、锁定或改了密码，随身资料已清除。未同步的记录仍在，登录后可继续。"); }
    app.name = (await wire.hello()).name;
    app.raw = await wire.unlock();
    if (await vault.hasCode()) { app.raw.fill(0); app.raw = null; }
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist();
  } catch (error) {
    if (error instanceof wire.SignedOut) app.problem = "signed-out";
    else if (error instanceof wire.Offline) app.problem = "offline";
    else if (error instanceof wire.NotForYou) { main.replaceChildren(h("div", { class: "sheet narrow" }, h("div", { class: "in" }, h("h1", {}, say("此账号不上门")), h("p", {}, say("随身页面供上门的医生和护士使用。")), h("p", {}, h("a", { class: "button", href: "/start" }, say("回到首页")))))); return; }
    else throw error;
  }
  if (vault.isOpen() && !app.raw) await opened(); else await show();
  setInterval(tick, 5000);
  setInterval(run, app.terms.retry_seconds * 1000);
}

function worker() {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.register("/worker.js", { updateViaCache: "none" }).then(function (found) {
    function look() { if (found.waiting && navigator.serviceWorker.controller) { app.newer = found.waiting; const old = document.getElementById("bar"); if (old) old.replaceWith(bar()); } }
    look();
    found.addEventListener("updatefound", function () {
      const coming = found.installing;
      coming.addEventListener("statechange", look);
    });
    setInterval(function () { if (app.online) found.update().catch(function () { /* without network there is no newer one */ }); }, HOUR);
  });
  let controlled = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", async function () {
    if (!navigator.serviceWorker.controller) return; // signed out: it was taken away with everything else
    if (!controlled) { controlled = true; return; }
    if (leaveView) { const act = leaveView; leaveView = null; await act(); }
    location.reload();
  });
}

channel.onmessage = async function (event) {
  if (event.data === "forgotten") { vault.lock(); app.pack = null; app.records = []; app.raw = null; await show(); }
  if (event.data === "changed" && vault.isOpen()) { await reload(); if (!location.hash.startsWith("#/visit/")) await show(); else status(); }
};
window.addEventListener("hashchange", show);
window.addEventListener("online", function () { app.online = true; status(); run(); });
window.addEventListener("offline", function () { app.online = false; app.problem = "offline"; status(); });
document.addEventListener("visibilitychange", function () { if (!document.hidden) { tick(); run(); } });

boot();

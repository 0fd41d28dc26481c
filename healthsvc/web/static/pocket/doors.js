// The doors: the code that is chosen, the lock, the way out, and a browser that cannot.

import * as vault from "./vault.js";
import * as wire from "./wire.js";
import { h, icon, say, told } from "./dom.js";

function box(children) { return { node: h("div", { class: "sheet narrow door" }, h("div", { class: "in" }, children)) }; }

export function showUnfit() {
  return box([h("h1", {}, say("此浏览器不能离线办理")),
    h("p", {}, say("离线办理要通过 https 打开（或在本机），并用较新的浏览器。联网时请用普通页面办理。")),
    h("p", {}, h("a", { class: "button", href: "/start" }, say("回到首页")))]);
}

// Chosen once, while there is network: without it the days are not taken along.
export function showCode(app) {
  const place = h("div", {});
  const least = app.terms.code_length;
  const form = h("form", { class: "stack", autocomplete: "off", onsubmit: async function (event) {
    event.preventDefault();
    const code = form.elements.namedItem("code").value;
    const wrong = code.length < least ? say("开锁码至少 {n} 位。", { n: least })
      : new Set(code).size < 3 ? say("开锁码太简单，请多用几个不同的数字。")
      : code !== form.elements.namedItem("again").value ? say("两次输入不一致。") : "";
    if (wrong) { place.replaceChildren(told("red", h("p", {}, wrong))); return; }
    await vault.setCode(code, app.raw);
    app.raw.fill(0);
    app.raw = null;
    await app.opened();
  } },
  h("p", {}, h("label", { for: "code" }, say("开锁码")), h("input", { id: "code", name: "code", type: "password", inputmode: "numeric", autocomplete: "new-password", required: true })),
  h("p", {}, h("label", { for: "again" }, say("再输一次")), h("input", { id: "again", name: "again", type: "password", inputmode: "numeric", autocomplete: "new-password", required: true })),
  h("button", { class: "big" }, say("带上三天的上门")));
  return box([h("h1", {}, say("设置开锁码")),
    h("p", {}, say("没有网络时用它打开手机上的资料。服务器不保存这个码；忘记了，联网登录即可重新打开，记录不会丢。")), place, form]);
}

export async function showLocked(app, leaving) {
  const place = h("div", {});
  const counted = await vault.count();
  const waiting = counted.mine + counted.others;
  const parts = [h("h1", {}, say("随身资料已上锁"))];
  if (waiting) parts.push(told("amber", h("p", {}, say("手机上有 {n} 条未同步的记录，开锁或登录后继续。", { n: waiting }))));
  if (await vault.hasCode()) {
    const form = h("form", { class: "stack", autocomplete: "off", onsubmit: async function (event) {
      event.preventDefault();
      const button = form.querySelector("button");
      button.disabled = true;
      const result = await vault.openByCode(form.elements.namedItem("code").value, app.terms.code_tries);
      button.disabled = false;
      if (result === "open") { await app.opened(); return; }
      form.reset();
      if (result === "gone") { await app.show(); return; }
      place.replaceChildren(told("red", h("p", {}, say("开锁码不对。"))));
    } },
    h("p", {}, h("label", { for: "code" }, say("开锁码")), h("input", { id: "code", name: "code", type: "password", inputmode: "numeric", autocomplete: "off", required: true })),
    h("button", { class: "big" }, say("开锁")));
    parts.push(place, form);
  } else {
    parts.push(h("p", {}, say("联网登录后打开；没有网络时打不开。")));
  }
  parts.push(h("p", { class: "actions" },
    h("button", { class: "second", onclick: async function () {
      try {
        await wire.hello();
        const raw = await wire.unlock();
        app.problem = "";
        if (await vault.hasCode()) { raw.fill(0); await app.opened(); } else { app.raw = raw; await app.show(); }
      } catch (error) {
        if (error instanceof wire.SignedOut) { location.href = "/sign-in?next=/pocket"; return; }
        place.replaceChildren(told("red", h("p", {}, say("现在连不上服务器。"))));
        if (!place.isConnected) app.tell(say("现在连不上服务器。"));
      }
    } }, say("联网打开")),
    leaving ? h("button", { class: "quiet", onclick: async function () { history.replaceState(null, "", "/pocket"); await app.show(); } }, say("先不退出")) : null));
  return box(parts);
}

// Signing out takes everything from the phone; so what waits goes first, or to the desk, or one stays.
export function showLeaving(app) {
  const place = h("div", {});
  const waiting = app.records.filter(function (one) { return vault.UNSENT.indexOf(one.state) >= 0; });
  async function out(forget) {
    try {
      await wire.hello();
      await wire.end(forget);
      await vault.leave();
      app.changed("forgotten");
      wire.signOut();
    } catch (error) {
      place.replaceChildren(told("red", h("p", {}, say("现在连不上服务器，没有退出，记录都在。"))));
    }
  }
  if (!waiting.length) return { node: box([h("h1", {}, say("退出登录")), h("p", {}, say("手机上的资料会全部清除。")), place, h("p", { class: "actions" }, h("button", { onclick: function () { out(true); } }, say("清除并退出")), h("a", { class: "button second", href: "#/" }, say("先不退出")))]).node };
  const list = h("ul", { class: "rows" }, waiting.map(function (one) {
    return h("li", {}, h("div", { class: "grow" }, h("a", { class: "who", href: "#/visit/" + one.task }, one.name), h("span", { class: "sub" }, say(STATES[one.state]))));
  }));
  const finished = waiting.filter(function (one) { return one.wire; });
  return box([h("h1", {}, say("还有 {n} 条记录没有同步", { n: waiting.length })), h("p", {}, say("退出会清除手机上的资料。请先同步；拿不准的可以交协调员处理，内容不会丢。")), place, list,
    h("p", { class: "actions" },
      h("button", { onclick: async function () { await app.run(); await app.show(); } }, icon("check"), say("现在同步")),
      finished.length ? h("button", { class: "second", onclick: async function () {
        for (const one of finished) await vault.putRecord(toDesk(one));
        await app.reload(); await app.run(); await app.show();
      } }, say("都交协调员")) : null,
      h("a", { class: "button second", href: "#/" }, say("先不退出")))]);
}

export const STATES = { draft: "草稿，未签发", ready: "等待同步", asked: "两边有出入，请决定", refused: "被退回，请改正", sent: "已同步" };

export function toDesk(record) {
  const decision = { choice: "desk", seen: (record.answer && record.answer.seen) || "" };
  return Object.assign({}, record, { state: "ready", wire: Object.assign({}, record.wire, { key: crypto.randomUUID(), decision: decision }) });
}

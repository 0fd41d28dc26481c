// Both sides of a visit, line by line; whoever made it decides. Nothing is lost whichever way.

import { h, icon, say, chip, told } from "./dom.js";
import { decided } from "./record.js";

const CLASHES = {
  finished: "此次上门已由他人登记完成", cancelled: "此次上门已被取消", missed: "此次上门已被记为未访", admitted: "本人已住院", away: "此次上门已暂停",
  moved: "此次上门已改期或换人", form: "表单内容已更新", steps: "床旁已有他人的记录", clock: "手机时钟在途中被改动，请核对时间",
};
const MINE = { complete: "按我填写的存入", reopen: "恢复此次上门，按我填写的存入", resume: "按我填写的存入，其他服务仍暂停", beside: "另记一次上门，两份都保留" };

export function showSides(app, record) {
  const answer = record.answer;
  async function choose(choice) {
    await decided(record, choice, answer.seen);
    await app.reload();
    app.changed();
    app.go("#/");
    await app.run();
  }
  const rows = answer.sides.map(function (one) {
    const differs = one.mine && one.theirs && one.mine !== one.theirs;
    return h("tr", { class: differs ? "differs" : "" }, h("th", { scope: "row" }, one.label), h("td", { "data-side": say("我填写的") }, one.mine || "–"), h("td", { "data-side": say("系统里现有的") }, one.theirs || "–"));
  });
  const open = answer.choices;
  const node = h("div", { class: "stacked" },
    h("div", { class: "head" }, h("div", { class: "grow" }, h("p", { class: "crumbs" }, h("a", { href: "#/" }, say("我的三天")), " › "), h("h1", {}, record.name), h("div", { class: "chips" }, chip("main", record.title)))),
    told("red", answer.clashes.map(function (one) { return h("p", {}, h("strong", {}, say(CLASHES[one] || one))); })),
    rows.length ? h("section", { class: "sheet" }, h("header", {}, h("h2", {}, say("两边的记录"))), h("div", { class: "table", tabindex: 0, role: "region", "aria-label": say("两边的记录") }, h("table", { class: "both" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("项目")), h("th", { scope: "col" }, say("我填写的")), h("th", { scope: "col" }, say("系统里现有的")))), h("tbody", {}, rows))))
      : told("amber", h("p", {}, say("此人的档案现在不对你开放，看不到系统里的内容；可以交协调员处理。"))),
    h("section", { class: "sheet" }, h("header", {}, h("h2", {}, say("怎样处理"))), h("div", { class: "in choices-big" },
      open.indexOf("mine") >= 0 ? h("button", { class: "big", onclick: function () { choose("mine"); } }, icon("check"), say(MINE[answer.way])) : told("amber", h("p", {}, say("这种情况不能按我填写的直接存入。"))),
      h("button", { class: "big second", onclick: function () { choose("theirs"); } }, say("以系统里的为准，我的存档备查")),
      h("button", { class: "big second", onclick: function () { choose("desk"); } }, say("交协调员处理")))));
  return { node: node };
}

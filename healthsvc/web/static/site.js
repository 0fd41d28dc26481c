// What every page does: notices, one press per button, keyboard, printing.
"use strict";

(function () {
  function notice(text) {
    const place = document.getElementById("notice");
    if (!place) return;
    place.textContent = text;
    setTimeout(function () { if (place.textContent === text) place.textContent = ""; }, 6000);
  }

  document.querySelectorAll("[data-notice]").forEach(function (one) { notice(one.dataset.notice); });

  // "/" goes to the search, as long as nothing is being written.
  document.addEventListener("keydown", function (event) {
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !writing && !event.isComposing) {
      const field = document.querySelector("[data-shortcut='/']");
      if (field) { event.preventDefault(); field.focus(); }
    }
    if (event.key === "Escape") document.querySelectorAll("details.account[open], details.works[open], details.more[open]").forEach(function (one) { one.open = false; });
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.account[open], details.works[open], details.more[open]").forEach(function (one) {
      if (!one.contains(event.target)) one.open = false;
    });
  });

  // What waits on this phone is counted beside its entry; whoever signs out is asked about it first, since signing out erases the phone.
  const waiting = localStorage.getItem("pocket-waiting");
  document.querySelectorAll('nav a[href="/pocket"]').forEach(function (one) {
    if (!Number(waiting)) return;
    const mark = document.createElement("b");
    mark.className = "waits";
    mark.textContent = waiting;
    mark.setAttribute("aria-label", document.body.dataset.waits.replace("{n}", waiting));
    mark.setAttribute("role", "img");
    one.append(mark);
  });
  document.querySelectorAll('form[action="/sign-out"]').forEach(function (one) {
    one.addEventListener("submit", function (event) {
      if (localStorage.getItem("pocket-waiting") === null) return;
      event.preventDefault();
      location.href = "/pocket#/leaving";
    });
  });

  // Work that goes on in the background is in the head of every page; while there is some, the head looks again.
  const atWork = document.getElementById("at-work");
  const again = 3000, later = 30000; // milliseconds: while work goes on, and where the network is away
  function look() {
    fetch("/progress/open", { credentials: "same-origin", headers: { "hx-request": "true", accept: "text/html" } })
      .then(function (answer) {
        const whole = answer.ok && !answer.redirected; // who must first do something else is led to another page, which has no place here
        return answer.text().then(function (text) { return whole ? text : ""; });
      })
      .then(function (text) {
        const open = atWork.querySelector("details[open]") !== null;
        const made = new DOMParser().parseFromString(text, "text/html");
        atWork.replaceChildren.apply(atWork, Array.from(made.body.childNodes).map(function (one) { return document.importNode(one, true); }));
        const works = atWork.querySelector("details");
        if (works) works.open = open;
        if (works && works.matches("[data-going]")) setTimeout(look, again);
      })
      .catch(function () { setTimeout(look, later); });
  }
  if (atWork) look();

  // Before a form is sent that has been open for a while, the session is asked after: if it has ended, what was typed stays on the page.
  const fresh = 60000; // milliseconds
  let seen = Date.now();
  let asking = false;
  function ended(form) {
    let told = document.getElementById("ended");
    if (!told) {
      const words = document.body.dataset, link = document.createElement("a"), text = document.createElement("p");
      told = document.createElement("div");
      told.id = "ended";
      told.className = "told amber";
      told.setAttribute("role", "alert");
      link.href = "/sign-in";
      link.target = "_blank";
      link.textContent = words.signIn;
      text.append(words.ended + " ", link);
      told.append(text);
    }
    form.before(told);
    told.scrollIntoView({ block: "center" });
  }
  document.addEventListener("submit", function (event) {
    const form = event.target, button = event.submitter;
    const token = form.elements.namedItem("csrf");
    if (!token || form.method !== "post" || form.hasAttribute("hx-post") || Date.now() - seen < fresh) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (asking) return;
    asking = true;
    fetch("/account/password", { credentials: "same-origin", headers: { accept: "text/html" } })
      .then(function (answer) { return answer.text().then(function (text) { return new URL(answer.url).pathname === "/sign-in" ? null : text; }); })
      .then(function (text) {
        if (text === null) { ended(form); return; }
        const now = new DOMParser().parseFromString(text, "text/html").querySelector('input[name="csrf"]');
        if (now) document.querySelectorAll('input[name="csrf"]').forEach(function (one) { one.value = now.value; });
        seen = Date.now();
        form.requestSubmit(button);
      })
      .catch(function () { seen = Date.now(); form.requestSubmit(button); })
      .finally(function () { asking = false; });
  }, true);

  // A form that was refused stands on its own page again: that page is asked for when one looks again, and no form is sent twice.
  const refused = document.querySelector("[data-here]");
  if (refused) {
    history.replaceState(null, "", refused.dataset.here);
    const wrong = refused.nextElementSibling.querySelector("[aria-invalid]");
    (wrong || refused).focus();
    refused.scrollIntoView({ block: "center" });
  }

  document.querySelectorAll("[data-back]").forEach(function (one) {
    one.addEventListener("click", function () { history.back(); });
  });

  // A form is sent once; what takes long says so.
  document.addEventListener("submit", function (event) {
    const button = event.submitter;
    if (event.defaultPrevented || !button || button.formTarget === "_blank" || event.target.hasAttribute("hx-post")) return;
    if (button.dataset.busy) button.textContent = button.dataset.busy;
    setTimeout(function () { button.disabled = true; }, 0);
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) document.querySelectorAll("button:disabled").forEach(function (one) { one.disabled = false; });
  });

  document.querySelectorAll("[data-send]").forEach(function (one) {
    one.addEventListener("change", function () { one.form.requestSubmit(); });
  });

  // A page that waits for long work looks again until it is done.
  document.querySelectorAll("[data-poll]").forEach(function (one) {
    setTimeout(function () { location.reload(); }, 1000 * Number(one.dataset.poll));
  });

  // Days and times are taken as one types them (2026/1/5, 20260105, 9：05) and shown as they are kept.
  const ways = [
    [/^\\d\{4\}-/, /^(\d{4})(?:(\d\d)(\d\d)|[-/.年](\d{1,2})[-/.月](\d{1,2})日?)$/, "-"],
    [/:/, /^(?:(\d\d)([0-5]\d)|(\d{1,2})[:.点时]([0-5]\d)分?)$/, ":"],
  ];
  function noDay(text) { // 2026-02-30 is written as a day is, and is none
    const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
    return parts !== null && new Date(Date.UTC(parts[1], parts[2] - 1, parts[3])).toISOString().slice(0, 10) !== text;
  }
  document.addEventListener("change", function (event) {
    const one = event.target;
    const way = one.pattern && ways.find(function (known) { return known[0].test(one.pattern); });
    const found = way && way[1].exec(one.value.normalize("NFKC").replace(/\s/g, ""));
    if (found) one.value = found.slice(1).filter(Boolean).map(function (part) { return part.padStart(2, "0"); }).join(way[2]);
    if (way && way[2] === "-") one.setCustomValidity(noDay(one.value) ? document.body.dataset.noDay : "");
  });

  // A browser names its own file button in the language of the browser; ours speaks that of the page.
  document.querySelectorAll('input[type="file"]').forEach(function (one) {
    const frame = document.createElement("span");
    const button = document.createElement("label");
    const name = document.createElement("span");
    frame.className = "file grow";
    button.className = "button second";
    button.htmlFor = one.id;
    button.textContent = document.body.dataset.choose;
    name.className = "muted file-name";
    function say() { name.textContent = one.files.length ? one.files[0].name : document.body.dataset.noFile; }
    one.replaceWith(frame);
    one.className = "sr";
    frame.append(one, button, name);
    one.addEventListener("change", say);
    say();
  });

  document.querySelectorAll("[data-print]").forEach(function (one) {
    one.addEventListener("click", function () { window.print(); });
  });

  // Opens all of something, or closes all; paper shows everything.
  document.querySelectorAll("[data-open]").forEach(function (one) {
    const words = [one.textContent, one.dataset.close];
    one.addEventListener("click", function () {
      const open = one.textContent === words[0];
      document.querySelectorAll(one.dataset.open).forEach(function (part) { part.open = open; });
      one.textContent = words[open ? 1 : 0];
    });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".lane").forEach(function (part) { part.open = true; });
  });

  document.querySelectorAll("[data-show]").forEach(function (one) {
    one.addEventListener("click", function () {
      document.querySelectorAll(one.dataset.show).forEach(function (row) { row.hidden = false; });
      one.parentElement.hidden = true;
    });
  });

  // Buttons that show only one kind of row of a list.
  document.querySelectorAll("[data-filter]").forEach(function (group) {
    group.addEventListener("click", function (event) {
      const chosen = event.target.closest("button");
      if (!chosen) return;
      group.querySelectorAll("button").forEach(function (one) { one.setAttribute("aria-pressed", String(one === chosen)); });
      document.querySelectorAll(group.dataset.filter + " > [data-kind]").forEach(function (row) {
        row.hidden = chosen.dataset.value !== "" && row.dataset.kind !== chosen.dataset.value;
      });
    });
  });
})();

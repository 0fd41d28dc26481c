// Finding a person: asks after a short rest, never while an input method composes; arrows walk what was found, Enter opens it.
"use strict";

(function () {
  const REST = 180;

  // Pinyin letters under composition are not a name yet: nothing is asked until the input method has given its characters.
  function watch(field) {
    let timer = 0;
    let composing = false;
    let asked = field.value;
    function ask() {
      clearTimeout(timer);
      timer = setTimeout(function () {
        if (composing || field.value === asked) return;
        asked = field.value;
        field.dispatchEvent(new CustomEvent("settled", { bubbles: true }));
      }, REST);
    }
    field.addEventListener("compositionstart", function () { composing = true; clearTimeout(timer); });
    field.addEventListener("compositionend", function () { composing = false; ask(); });
    field.addEventListener("input", function (event) { if (!composing && !event.isComposing) ask(); });
    // Some input methods end the composition with the very Enter that chose the character: that Enter sends nothing.
    field.addEventListener("keydown", function (event) {
      if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.preventDefault();
    });
  }

  function isComposing(event) { return event.isComposing || event.keyCode === 229; }

  // The list under the field of every page (ARIA combobox): the field keeps the focus, the arrows move the choice.
  function combobox(field) {
    const list = document.getElementById(field.dataset.list);
    let chosen = -1;
    function choices() { return Array.from(list.querySelectorAll("[role=option]:not([aria-disabled])")); }
    function choose(place) {
      const all = choices();
      all.forEach(function (one) { one.setAttribute("aria-selected", "false"); });
      chosen = all.length ? (place + all.length) % all.length : -1;
      if (chosen < 0) return;
      all[chosen].setAttribute("aria-selected", "true");
      all[chosen].scrollIntoView({ block: "nearest" });
      field.setAttribute("aria-activedescendant", all[chosen].id);
    }
    function open(one) { if (one) window.location.assign(one.dataset.href); }
    function show(shown) {
      list.hidden = !shown;
      field.setAttribute("aria-expanded", String(shown));
      if (!shown) { chosen = -1; field.removeAttribute("aria-activedescendant"); }
    }
    new MutationObserver(function () { chosen = -1; field.removeAttribute("aria-activedescendant"); show(list.children.length > 0 && field.value.trim() !== ""); })
      .observe(list, { childList: true });
    field.addEventListener("focus", function () { if (list.children.length && field.value.trim()) show(true); });
    field.addEventListener("input", function () { if (!field.value.trim()) show(false); });
    field.addEventListener("keydown", function (event) {
      if (isComposing(event)) return;
      if (event.key === "ArrowDown" && !list.hidden) { event.preventDefault(); choose(chosen + 1); }
      else if (event.key === "ArrowUp" && !list.hidden) { event.preventDefault(); choose(chosen < 0 ? -1 : chosen - 1); }
      else if (event.key === "Escape" && !list.hidden) { event.preventDefault(); show(false); }
      else if (event.key === "Enter" && chosen >= 0) { event.preventDefault(); open(choices()[chosen]); }
    });
    list.addEventListener("click", function (event) { open(event.target.closest("[data-href]")); });
    document.addEventListener("focusin", function (event) { if (event.target !== field && !list.contains(event.target)) show(false); });
    document.addEventListener("click", function (event) { if (event.target !== field && !list.contains(event.target)) show(false); });
  }

  // A whole page of what was found: the arrows move the focus from the field through the rows and back.
  function rows(field) {
    function links() { return Array.from(document.querySelectorAll(field.dataset.rows)); }
    document.addEventListener("keydown", function (event) {
      if (isComposing(event) || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
      const all = [field].concat(links());
      const here = all.indexOf(document.activeElement);
      if (here < 0) return;
      const next = all[here + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    });
    field.addEventListener("keydown", function (event) {
      const all = links();
      if (event.key === "Enter" && !isComposing(event) && all.length === 1) { event.preventDefault(); all[0].click(); }
    });
  }

  document.querySelectorAll("[data-settle]").forEach(watch);
  document.querySelectorAll("[data-list]").forEach(combobox);
  document.querySelectorAll("[data-rows]").forEach(rows);
})();

// Items of a form that are asked only after certain answers: hidden and not sent until then. The server decides all the same.
"use strict";

(function () {
  function watch(form) {
    function given(name) {
      const found = [];
      form.querySelectorAll('[name="' + CSS.escape(name) + '"]').forEach(function (one) {
        if (one.disabled) return;
        if (one.type === "checkbox" || one.type === "radio") {
          if (one.checked) found.push(one.value);
        } else if (one.value.trim() !== "") {
          found.push(one.value.trim());
        }
      });
      return found;
    }

    function holds(one) {
      const values = given(one.q);
      if (one.op === "exists") return (values.length > 0) === (one.a[0] === "true");
      const met = values.some(function (value) { return one.a.indexOf(value) >= 0; });
      if (one.op === "=") return met;
      if (one.op === "!=") return !met;
      return values.some(function (value) {
        const number = Number(value), bound = Number(one.a[0]);
        return { ">": number > bound, "<": number < bound, ">=": number >= bound, "<=": number <= bound }[one.op];
      });
    }

    function look() {
      form.querySelectorAll("[data-when]").forEach(function (part) {
        const asked = JSON.parse(part.dataset.when).some(holds);
        part.hidden = !asked;
        part.querySelectorAll("input, select, textarea").forEach(function (one) { one.disabled = !asked; });
      });
    }

    // Points of a scored group are added up while one answers; the server adds them up again.
    function add() {
      form.querySelectorAll("[data-sum]").forEach(function (place) {
        let total = 0, whole = true;
        place.dataset.sum.trim().split(" ").forEach(function (name) {
          const field = form.querySelector('select[name="' + CSS.escape(name) + '"]');
          const points = field && field.selectedOptions[0] ? field.selectedOptions[0].dataset.points : undefined;
          if (points === undefined) whole = false; else total += Number(points);
        });
        place.textContent = whole ? String(total) : "–";
      });
    }

    form.addEventListener("change", function () { look(); add(); });
    form.addEventListener("input", look);
    look();
    add();
  }

  document.querySelectorAll("form[data-form]").forEach(watch);
  window.watchForm = watch; // for forms that come later
})();

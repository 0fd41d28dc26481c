// Counts down to what is due at the bedside; when it is due the device shakes and the page says so.
"use strict";

(function () {
  const shown = document.querySelectorAll("[data-until]");
  const title = document.title;
  let told = false;

  function clock(seconds) {
    const whole = Math.abs(Math.round(seconds));
    const minutes = Math.floor(whole / 60);
    return minutes + ":" + String(whole % 60).padStart(2, "0");
  }

  function tick() {
    shown.forEach(function (one, place) {
      const left = (Date.parse(one.dataset.until) - Date.now()) / 1000;
      one.textContent = left >= 0 ? clock(left) : one.dataset.over.replace("{n}", clock(left));
      if (place > 0) return;
      one.parentElement.classList.toggle("late", left < 0 || one.parentElement.classList.contains("alarm"));
      document.title = left < 0 ? "● " + title : title;
      if (left < 0 && !told) {
        told = true;
        if (navigator.vibrate) navigator.vibrate([400, 200, 400]);
      }
    });
  }

  const now = document.querySelector(".steps .now");
  if (now) now.parentElement.scrollLeft = now.offsetLeft - now.parentElement.offsetLeft - now.parentElement.clientWidth / 2 + now.clientWidth / 2;
  if (shown.length) {
    tick();
    setInterval(tick, 1000);
  }
})();

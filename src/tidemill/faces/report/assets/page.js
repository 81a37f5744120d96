"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const tip = document.getElementById("tip");
  const views = [];

  function tooltip(_, event, __, value) {
    tip.replaceChildren();
    if (value === null || value === undefined || value === "") {
      tip.hidden = true;
      return;
    }
    for (const [name, text] of Object.entries(value)) {
      if (text === "" || text === "null") continue;
      const row = document.createElement("div");
      const key = document.createElement("span");
      key.textContent = name;
      row.append(key, String(text));
      tip.append(row);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 8);
    const above = event.clientY - box.height - 12;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (above > 8 ? above : event.clientY + 16) + "px";
  }

  function signal(name, value) {
    for (const view of views) {
      if (view.getState().signals[name] !== undefined) view.signal(name, value).runAsync();
    }
  }

  const drawn = Object.entries(specs).map(([id, spec]) => {
    const container = document.getElementById("chart-" + id);
    const compiled = vegaLite.compile(spec).spec;
    const view = new vega.View(vega.parse(compiled, null, { ast: true }), {
      container, tooltip, expr: vegaInterpreter, renderer: "svg", hover: true,
      logLevel: vega.Error,
    });
    views.push(view);
    return view.runAsync();
  });

  const boxes = [...document.querySelectorAll("input[name=shown]")];
  const chosen = document.getElementById("chosen");
  const versus = document.getElementById("versus");
  const opportunity = document.getElementById("opportunity");
  const shown = () => boxes.filter((box) => box.checked).map((box) => box.value);

  function compare() {
    const box = boxes.find((box) => box.value === chosen.value);
    if (box && !box.checked) {
      box.checked = true;
      signal("shown", shown());
    }
    signal("chosen", chosen.value);
    signal("versus", versus.value);
    const told = chosen.selectedOptions[0];
    opportunity.textContent = told ? told.dataset.opportunity : "";
  }

  for (const box of boxes) box.addEventListener("change", () => signal("shown", shown()));
  if (chosen) {
    chosen.addEventListener("change", compare);
    versus.addEventListener("change", compare);
    document.getElementById("known-then").addEventListener("change", (event) => {
      signal("known_then", event.target.checked);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
  });
  Promise.all(drawn).then(() => { document.documentElement.dataset.drawn = "yes"; });
})();

// What the pages need beyond links and forms: keys, dialogs, times in words,
// ticked rows, and the pill that says that something changed.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // htmx turns answers into elements; the page's policy asks that this is said
  // in one named place.
  if (window.trustedTypes && window.htmx) {
    const policy = trustedTypes.createPolicy("usherd", { createHTML: (s) => s });
    htmx.registerExtension("usherd", { init: (api) => api.initSecurity(policy) });
  }

  // Theme: as the system, light, dark.
  const themes = ["", "light", "dark"];
  const nameTheme = () => {
    const now = document.documentElement.dataset.theme || "";
    for (const button of $$("[data-theme-toggle]")) {
      button.textContent = { "": "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[now];
      button.setAttribute("aria-label", button.textContent + ". Change it");
    }
  };
  const nextTheme = () => {
    const now = document.documentElement.dataset.theme || "";
    const next = themes[(themes.indexOf(now) + 1) % themes.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    try { localStorage.setItem("usherd-theme", next); } catch { /* storage may be off */ }
    nameTheme();
  };

  // Times: "3 minutes ago", with the whole in the tooltip and where the focus is;
  // or the whole itself, as clocks here or in UTC have it.
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const ago = (at) => {
    const seconds = (at - Date.now()) / 1000;
    const least = ([unit, size]) => unit === "month" ? 2 * size : size; // days say more than "next month"
    let i = units.findIndex((u) => Math.abs(seconds) >= least(u));
    if (i < 0) return "now";
    if (i > 0 && Math.round(Math.abs(seconds) / units[i][1]) * units[i][1] >= least(units[i - 1])) i--;
    return words.format(Math.round(seconds / units[i][1]), units[i][0]);
  };
  const whole = (at, zone) => new Intl.DateTimeFormat("sv-SE", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: zone, timeZoneName: "short",
  }).format(at);
  const clocks = ["", "local", "utc"];
  let clock = "";
  try { clock = localStorage.getItem("usherd-times") || ""; } catch { /* storage may be off */ }
  const tellTimes = () => {
    for (const t of $$("time[datetime]")) {
      const at = new Date(t.dateTime);
      const utc = whole(at, "UTC");
      t.textContent = { local: whole(at), utc }[clock] || ago(at);
      t.title = clock === "utc" ? ago(at) : utc;
      if (!t.closest("a, button, summary, tr")) t.tabIndex = 0;
    }
    for (const button of $$("[data-clock-toggle]")) {
      button.textContent = { local: "Times: local", utc: "Times: UTC" }[clock] || "Times: ago";
      button.setAttribute("aria-label", button.textContent + ". Change it");
    }
  };
  const nextClock = () => {
    clock = clocks[(clocks.indexOf(clock) + 1) % clocks.length];
    try { localStorage.setItem("usherd-times", clock); } catch { /* storage may be off */ }
    tellTimes();
  };

  // Ticked rows.
  const ticks = (form) => $$('tbody input[name="id"]', form);
  const countTicks = (form) => {
    const bar = $(".bulk", form);
    if (!bar) return;
    const n = ticks(form).filter((t) => t.checked).length;
    bar.hidden = n === 0;
    $("[data-count]", bar).textContent = `${n} selected`;
    const all = $("[data-all]", form);
    all.checked = n > 0 && n === ticks(form).length;
    all.indeterminate = n > 0 && !all.checked;
  };

  // The row that the keys are at.
  const rows = () => $$("[data-row]");
  const goRow = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((r) => r.hasAttribute("data-at"));
    all.forEach((r) => r.removeAttribute("data-at"));
    const row = all[Math.max(0, Math.min(all.length - 1, at + step))];
    row.setAttribute("data-at", "");
    ($("a[data-record]", row) || $("a", row) || row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  const open = (id) => {
    const dialog = document.getElementById(id);
    if (dialog && !dialog.open) dialog.showModal();
  };

  // Copy what the attribute says: a text, or "#id" for the text of an element.
  const copy = async (button) => {
    const said = button.dataset.copy;
    const from = said.startsWith("#") && document.getElementById(said.slice(1));
    try { await navigator.clipboard.writeText(from ? from.value || from.innerText : said); } catch { return; }
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 2000);
  };

  let afterG = false;
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { e.preventDefault(); open("palette"); return; }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.target.closest("input, select, textarea, [contenteditable]")) {
      if (e.target.closest("#palette") && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
        e.preventDefault();
        $("#palette-results a")?.focus();
      }
      return;
    }
    const inResults = e.target.closest("#palette-results");
    if (inResults && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
      e.preventDefault();
      const links = $$("a", inResults);
      links[(links.indexOf(e.target) + (e.key === "ArrowDown" ? 1 : links.length - 1)) % links.length]?.focus();
      return;
    }
    if ($("dialog[open]")) return;
    if (afterG) {
      afterG = false;
      $(`#menu a[data-key="${CSS.escape(e.key)}"]`)?.click();
      return;
    }
    switch (e.key) {
      case "g": afterG = true; setTimeout(() => { afterG = false; }, 1500); break;
      case "/": { const q = $("#q"); if (q) { e.preventDefault(); q.focus(); q.select(); } break; }
      case "?": open("shortcuts"); break;
      case "j": goRow(1); break;
      case "k": goRow(-1); break;
      case "x": { const tick = $("[data-at] input[name='id']"); if (tick) { tick.checked = !tick.checked; countTicks(tick.form); } break; }
      case "r": $("[data-refresh]")?.click(); break;
    }
  });

  document.addEventListener("click", (e) => {
    const opener = e.target.closest("[data-open]");
    if (opener && opener.tagName === "BUTTON") open(opener.dataset.open);
    if (e.target.closest("[data-theme-toggle]")) nextTheme();
    if (e.target.closest("[data-clock-toggle]")) nextClock();
    const copier = e.target.closest("[data-copy]");
    if (copier) copy(copier);
    const disabled = e.target.closest("[aria-disabled='true']");
    if (disabled) e.preventDefault();
    const toggle = e.target.closest(".menu-toggle");
    if (toggle) {
      const menu = $("#menu");
      const shown = menu.toggleAttribute("data-open");
      toggle.setAttribute("aria-expanded", String(shown));
    }
    for (const d of $$("details.account[open], details.columns[open]")) if (!d.contains(e.target)) d.open = false;
  });
  document.addEventListener("change", (e) => {
    const form = e.target.closest("form.rows");
    if (!form) return;
    if (e.target.matches("[data-all]")) for (const t of ticks(form)) t.checked = e.target.checked;
    countTicks(form);
  });
  document.addEventListener("submit", (e) => {
    const asks = e.submitter?.dataset.confirm || e.target.dataset.confirm;
    if (asks && !window.confirm(asks)) e.preventDefault();
  });

  // Trees of checkboxes: branches tick what is below them, a search and "only
  // granted" leave lines out, and a badge counts what is not saved yet.
  const leaves = (li) => $$('input[type="checkbox"][name]:not(:disabled)', li);
  const tellBranches = (tree) => {
    for (const branch of $$("[data-branch]", tree).reverse()) {
      const below = $$('input[type="checkbox"][name]', branch.closest("li"));
      const on = below.filter((b) => b.checked).length;
      branch.checked = below.length > 0 && on === below.length;
      branch.indeterminate = on > 0 && !branch.checked;
    }
  };
  const narrowTree = (tree) => {
    const q = $("[data-tree-search]", tree).value.trim().toLowerCase();
    const only = $("[data-tree-only]", tree).checked;
    for (const li of $$("li", tree).reverse()) {
      const below = $$(":scope > ul > li", li);
      const granted = $$('input[type="checkbox"][name]:checked', li).length > 0 || $$("select", li).some((s) => s.value);
      const named = li.textContent.toLowerCase().includes(q) || li.parentElement.closest("li")?.firstElementChild.textContent.toLowerCase().includes(q);
      li.hidden = below.length ? below.every((b) => b.hidden) : !named || only && !granted;
    }
  };
  const tellDiff = (form) => {
    const badge = $("[data-diff-badge]", form);
    if (!badge) return;
    let more = 0, less = 0;
    for (const box of $$('input[type="checkbox"][name]', form)) {
      if (box.checked && !box.defaultChecked) more++;
      if (!box.checked && box.defaultChecked) less++;
    }
    for (const select of $$("select[name]", form)) {
      const was = [...select.options].find((o) => o.defaultSelected)?.value ?? "";
      if (select.value !== was) select.value ? more++ : less++;
    }
    badge.hidden = more + less === 0;
    badge.textContent = `+${more} −${less} not saved`;
  };
  const startTrees = () => {
    for (const tools of $$(".tree-tools")) tools.hidden = false;
    for (const tree of $$("[data-tree]")) tellBranches(tree);
    for (const form of $$("form[data-diff]")) tellDiff(form);
  };
  for (const event of ["input", "change"]) {
    document.addEventListener(event, (e) => {
      const tree = e.target.closest("[data-tree]");
      if (!tree) return;
      if (e.target.matches("[data-branch]")) for (const leaf of leaves(e.target.closest("li"))) leaf.checked = e.target.checked;
      if (e.target.matches("[data-tree-search], [data-tree-only]")) narrowTree(tree);
      tellBranches(tree);
      const form = e.target.closest("form[data-diff]");
      if (form) tellDiff(form);
    });
  }
  document.addEventListener("keydown", (e) => {
    const list = e.target.closest("[data-arrows]");
    if (!list || !e.target.matches('input[type="search"], input[type="checkbox"]')) return;
    const boxes = $$('.picks input[type="checkbox"]:not(:disabled)', list);
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const at = boxes.indexOf(e.target) + (e.key === "ArrowDown" ? 1 : -1);
      (boxes[at] || $('input[type="search"]', list)).focus();
    } else if (e.key === "Enter" && e.target.type === "checkbox") {
      e.preventDefault();
      $("button.primary", list)?.click();
    }
  });
  document.addEventListener("keypress", (e) => { // Enter would search again
    if (e.key === "Enter" && e.target.matches('[data-arrows] input[type="checkbox"]')) e.preventDefault();
  });

  // Rows of a [data-order] are dragged to another place, which the row's own form
  // is told as "to"; its buttons do the same for keys.
  let dragged = null;
  const placeAt = (e) => {
    const row = dragged && e.target.closest("tr[data-place]");
    return row && row.parentElement === dragged.parentElement ? row : null;
  };
  document.addEventListener("dragstart", (e) => {
    dragged = e.target.closest?.("[data-order] > tr[data-place]") || null;
    if (dragged) e.dataTransfer.effectAllowed = "move";
  });
  document.addEventListener("dragover", (e) => {
    const row = placeAt(e);
    if (!row) return;
    e.preventDefault();
    for (const r of row.parentElement.children) r.toggleAttribute("data-over", r === row && r !== dragged);
  });
  document.addEventListener("drop", (e) => {
    const row = placeAt(e);
    if (!row || row === dragged) return;
    e.preventDefault();
    const form = $("form", dragged);
    form.elements.to.value = row.dataset.place;
    form.submit();
  });
  document.addEventListener("dragend", () => {
    dragged = null;
    for (const r of $$("[data-over]")) r.removeAttribute("data-over");
  });

  // Something changed: say so, and leave the page as it is.
  const busy = () => $("dialog[open]") || $(".bulk:not([hidden])") || document.activeElement?.closest("input, textarea, select");
  const watch = () => {
    const main = $("main[data-revision]");
    if (!main || !window.EventSource) return;
    const events = new EventSource("/live?since=" + main.dataset.revision);
    let seen = Number(main.dataset.revision);
    events.addEventListener("changed", (e) => {
      const now = Number(e.data);
      const n = now - seen;
      if (n <= 0 || busy()) return;
      let pill = $("#changed");
      if (!pill) {
        pill = document.createElement("a");
        pill.id = "changed";
        pill.className = "button pill";
        pill.href = location.href;
        $("#notices").append(pill);
      }
      pill.textContent = `${n} ${n === 1 ? "change" : "changes"} – refresh (r)`;
      pill.setAttribute("data-refresh", "");
    });
    window.addEventListener("pagehide", () => events.close());
  };

  const ready = () => {
    nameTheme();
    tellTimes();
    for (const form of $$("form.rows")) countTicks(form);
    startTrees();
    const passing = $("[data-passing]");
    if (passing) setTimeout(() => { passing.style.opacity = "0"; setTimeout(() => passing.remove(), 500); }, 8000);
  };
  document.addEventListener("DOMContentLoaded", () => { ready(); watch(); });
  document.addEventListener("htmx:after:swap", ready);
  // What was to load itself and did not says so, and leads to where it is whole.
  document.addEventListener("htmx:finally:request", (e) => {
    const late = e.detail.ctx?.sourceElement;
    const at = late?.getAttribute("hx-get");
    if (!at || !late.isConnected || late.getAttribute("aria-busy") !== "true") return;
    late.removeAttribute("aria-busy");
    const link = [...late.querySelectorAll("a")].find((a) => a.getAttribute("href") === at);
    if (link) link.textContent = "That did not work – try again";
  });
  setInterval(tellTimes, 30000);
})();

// The drawer: a record of a list, shown beside the list. Its links lead to pages
// of their own, which a new tab, a reload and a browser without scripts show;
// the address in the bar is the record's while it is open.
(() => {
  const drawer = () => document.getElementById("drawer");
  const linkTo = (href) => [...document.querySelectorAll("[data-row] a[data-record]")].find((a) => a.getAttribute("href") === href);
  const here = () => location.pathname + location.search;

  let list = null; // what the drawer lies over: { address, title }
  let kept = "";   // an address that was come back to, of which the page is still here
  let wanted = ""; // the record that was asked for last

  // The row that the drawer is of is marked, so that it is found again.
  const mark = (href) => {
    const row = linkTo(href)?.closest("[data-row]");
    if (!row) return;
    for (const other of document.querySelectorAll("[data-row][data-at]")) other.removeAttribute("data-at");
    row.setAttribute("data-at", "");
    row.scrollIntoView({ block: "nearest" });
  };

  // After a step back that htmx sees the browser puts the focus at the top, unless
  // it moved meanwhile: so it does, also if it is there already.
  const backToRow = () => {
    document.activeElement?.blur();
    document.querySelector("[data-row][data-at] a[data-record]")?.focus({ preventScroll: true });
  };

  // load fetches a record into the drawer. What can't be shown there, such as an
  // error, is shown by the record's own page.
  const load = async (href) => {
    const dialog = drawer();
    const focus = dialog.open ? document.activeElement?.id : "";
    const title = document.title;
    wanted = href;
    try {
      await htmx.ajax("GET", href, { source: dialog, target: "#drawer-record", select: "#record", swap: "innerHTML" });
    } catch { /* seen below */ }
    if (wanted !== href) return false;
    const record = dialog.querySelector("#record");
    if (record?.dataset.address !== href) {
      location.assign(href);
      return false;
    }
    list ??= { address: here(), title };
    if (dialog.open) {
      const again = focus && document.getElementById(focus);
      (again || dialog.querySelector(".drawer-close button")).focus();
      document.getElementById("drawer-said").textContent = record.querySelector("h1").textContent + ", " + record.querySelector("time").textContent;
    } else {
      dialog.showModal();
    }
    dialog.scrollTop = 0;
    mark(href);
    return true;
  };

  const open = async (href) => {
    const within = drawer().open;
    if (!await load(href)) return;
    if (within) history.replaceState({ drawer: list }, "", href); // one step back closes it
    else history.pushState({ drawer: list }, "", href);
  };

  // step goes to the record of the next row, or of the one before.
  const step = (by) => {
    const links = [...document.querySelectorAll("[data-row] a[data-record]")];
    const at = links.findIndex((a) => a.closest("[data-row]").hasAttribute("data-at"));
    const next = links[at + by];
    if (next) open(next.getAttribute("href"));
  };

  document.addEventListener("click", (e) => {
    const link = e.target.closest("a[data-record]");
    if (!link || !drawer() || !window.htmx || e.defaultPrevented) return;
    if (e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    open(link.getAttribute("href"));
  });
  document.addEventListener("keydown", (e) => {
    if (!drawer()?.open || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "j") step(1);
    if (e.key === "k") step(-1);
  });

  // Closing goes back to the address of the list, and back closes.
  document.addEventListener("close", (e) => {
    if (e.target !== drawer()) return;
    wanted = "";
    document.getElementById("drawer-record").replaceChildren();
    if (history.state?.drawer) history.back();
    else backToRow();
  }, true);
  window.addEventListener("popstate", () => {
    const dialog = drawer();
    wanted = "";
    if (history.state?.drawer) {
      list = history.state.drawer;
      if (dialog) load(location.pathname);
      else location.reload();
      return;
    }
    if (list?.address === here()) {
      kept = list.address;
      document.title = list.title;
    }
    if (dialog?.open) dialog.close();
    else if (kept) backToRow();
    list = null;
  });
  // The list is still the one under the drawer: it need not be fetched again.
  document.addEventListener("htmx:before:history:restore", (e) => {
    if (e.detail.path === kept) e.preventDefault();
    kept = "";
  });
})();

// Sets the theme before the page is painted. Loaded without defer.
(() => {
  let theme = null;
  try { theme = localStorage.getItem("usherd-theme"); } catch { /* storage may be off */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();

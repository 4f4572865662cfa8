/** The colours that the reader's system prefers. A classic script, so that the page is never drawn in the wrong colours first. */
(() => {
  const light = matchMedia("(prefers-color-scheme: light)");
  const show = () => document.documentElement.setAttribute("data-theme", light.matches ? "light" : "dark");
  light.addEventListener("change", show);
  show();
})();

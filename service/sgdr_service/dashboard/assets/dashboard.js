"use strict";
// What happens in the browser alone: nothing of it needs the service.
const sgdr = {
  turnDark(cookie, path) {
    const dark = !document.body.classList.contains("body--dark");
    Quasar.Dark.set(dark);
    document.cookie = `${cookie}=${dark ? "yes" : "no"}; path=${path}; max-age=31536000; SameSite=Strict`;
  },
  async download(id, format, filename) {
    const { Plotly } = await import("nicegui-plotly");
    const plot = getHtmlElement(id);
    // On white, whatever the colours of the page: it goes into papers and slides.
    const layout = { ...plot.layout, paper_bgcolor: "white", plot_bgcolor: "white", width: undefined, height: undefined };
    const size = { width: Math.max(plot.offsetWidth, 640), height: Math.max(plot.offsetHeight, 360) };
    await Plotly.downloadImage({ data: plot.data, layout }, { format, filename, ...size, scale: format === "png" ? 2 : 1 });
  },
  async copy(id) {
    const text = document.getElementById(id).innerText;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS browsers have no clipboard, on another address than loopback.
      getSelection().selectAllChildren(document.getElementById(id));
      document.execCommand("copy");
    }
    Quasar.Notify.create({ message: "Copied", timeout: 1500, position: "bottom" });
  },
  csv(id, name) {
    // As sgdr.search.read_csv reads it: a spreadsheet would run such a text.
    const guarded = (text) =>
      typeof text === "string" && (/^(?: *[=+\-@＝＋－＠]|[\t\r\n'])/.test(text) && !(/^[+-]/.test(text) && (/^.(inf|nan)$/.test(text) || !isNaN(text)))) ? `'${text}` : text;
    getElement(id).api.exportDataAsCsv({
      fileName: `${name}.csv`,
      processCellCallback: ({ value }) => guarded(value),
      processHeaderCallback: ({ column }) => guarded(column.getColDef().headerName),
    });
  },
};
globalThis.sgdr = sgdr;
// The key that is down: tables tell which row it is on, but not which key.
addEventListener("keydown", ({ key }) => (sgdr.key = key), { capture: true });

// Figures follow the width of the page, but not to nothing when they are behind another tab.
const sizes = new ResizeObserver(async (entries) => {
  const { Plotly } = await import("nicegui-plotly");
  for (const { target } of entries) if (target.offsetParent && target.data) Plotly.Plots.resize(target);
});
const observe = (node) => node.querySelectorAll?.(".plot").forEach((plot) => sizes.observe(plot));
observe(document);
new MutationObserver((records) => records.forEach((record) => record.addedNodes.forEach(observe))).observe(
  document.documentElement,
  { childList: true, subtree: true },
);

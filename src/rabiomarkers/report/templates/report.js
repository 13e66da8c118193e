"use strict";
for (const source of document.querySelectorAll("script[data-figure]")) {
  const figure = JSON.parse(source.textContent);
  Plotly.newPlot(source.dataset.figure, figure.data, figure.layout, {
    displaylogo: false,
    responsive: true,
    showSendToCloud: false,
    plotlyServerURL: "",
    toImageButtonOptions: { format: "svg", filename: source.dataset.figure },
  });
}
// paper has no use for a closed drawer
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});

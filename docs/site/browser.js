/** The guides stand open for who comes the first time; wide plots can be pushed aside, as tables can. */
try {
  const guides = "tsd-accordion-Guides";
  // What a reader opens and closes is the theme's to remember.
  if (localStorage.getItem(guides) === null) localStorage.setItem(guides, "true");
} catch {
  // A browser without storage shows them closed.
}

addEventListener("DOMContentLoaded", () => {
  for (const plot of document.querySelectorAll('.tsd-typography img[width="100%"]')) {
    const frame = document.createElement("div");
    frame.className = "wide-plot";
    plot.replaceWith(frame);
    frame.append(plot);
  }
});

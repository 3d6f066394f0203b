/** The guides stand open for who comes the first time; what a reader opens and closes is the theme's to remember. */
try {
  const guides = "tsd-accordion-Guides";
  if (localStorage.getItem(guides) === null) localStorage.setItem(guides, "true");
} catch {
  // A browser without storage shows them closed.
}

// What scrolls can be reached by keyboard; what does not is no stop on the way.
{
  const seen = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
    }
  });
  for (const element of document.querySelectorAll(".scroll")) seen.observe(element);
}

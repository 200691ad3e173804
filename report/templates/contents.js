// The contents: open where there is room beside the text, and marking the section that is read.
{
  const nav = document.getElementById("contents");
  const list = nav.querySelector("details");
  const links = [...nav.querySelectorAll("a")];
  const headings = links.map(({ hash }) => document.getElementById(decodeURIComponent(hash.slice(1))));
  const beside = matchMedia("(min-width: 68rem)");
  const notebook = (link) => link.closest("#contents > details > ul > li");
  let current = null;

  const place = () => { list.open = beside.matches; };

  // The last section that begins in the upper third; at the end of the page, the last of all.
  function reading() {
    const atEnd = scrollY > 0 && scrollY + innerHeight >= document.body.scrollHeight - 2;
    const begun = (heading) => heading.getBoundingClientRect().top < innerHeight / 3;
    return links[atEnd ? links.length - 1 : Math.max(0, headings.findLastIndex(begun))];
  }

  function follow() {
    const link = reading();
    if (link === current || !link) return;
    if (current) {
      current.removeAttribute("aria-current");
      notebook(current).classList.remove("here");
    }
    current = link;
    link.setAttribute("aria-current", "location");
    notebook(link).classList.add("here");
    const { top, bottom } = link.getBoundingClientRect();
    const frame = nav.getBoundingClientRect();
    if (top < frame.top || bottom > frame.bottom) nav.scrollTop += top - frame.top - frame.height / 3;
  }

  nav.classList.add("follows");
  place();
  follow();
  beside.addEventListener("change", place);
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", follow);
  list.addEventListener("click", (event) => {
    if (event.target.closest("a") && !beside.matches) list.open = false;
  });
}

// The switch that folds all code; off, it unfolds what was open at first.
{
  const open = document.querySelectorAll("details.input[open]");
  const all = document.querySelectorAll("details.input");
  const label = document.getElementById("fold");
  label.hidden = !all.length;
  label.firstElementChild.addEventListener("change", (event) => {
    for (const code of event.target.checked ? all : open) code.open = !event.target.checked;
  });
}

// The ledger: its rows by verdict, section and words.
{
  const filter = document.getElementById("ledger-filter");
  const rows = [...document.querySelectorAll("tr[data-claim]")];
  const claims = (some) => new Set(some.map((row) => row.dataset.claim)).size;

  function show() {
    const words = filter.querySelector("input").value.toLowerCase().split(/\s+/);
    const chosen = [...filter.querySelectorAll("select")].filter((select) => select.value);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(chosen.every((select) => row.dataset[select.dataset.of] === select.value)
        && words.every((word) => text.includes(word)));
    }
    for (const table of new Set(rows.map((row) => row.closest("figure") ?? row.closest(".scroll")))) {
      table.hidden = !table.querySelector("tr[data-claim]:not([hidden])");
    }
    const shown = claims(rows.filter((row) => !row.hidden));
    filter.querySelector("output").textContent = `${shown} of ${claims(rows)} claims`;
  }

  function showAll() {
    for (const field of filter.querySelectorAll("select, input")) field.value = "";
    show();
  }

  if (filter) {
    for (const select of filter.querySelectorAll("select")) {
      const values = new Set(rows.map((row) => row.dataset[select.dataset.of]));
      for (const value of [...values].sort()) select.add(new Option(value));
    }
    filter.addEventListener("input", show);
    addEventListener("hashchange", () => {
      if (document.querySelector("tr[hidden]:target")) {
        showAll();
        document.querySelector("tr:target").scrollIntoView();
      }
    });
    filter.hidden = false;
    show();
  }
}

// The replication lottery: draws runs of the archive, draws the published bars anew, and counts how
// often the published sentences hold.
{
  const box = document.getElementById("lottery");
  // Accuracies are whole numbers: hundredths of a percent, or right answers of 10 000.
  const { modes, sentences } = JSON.parse(document.getElementById("lottery-data")?.textContent ?? "{}");
  const tallies = {}; // by seeds per mode: draws, how often each mode was first, each sentence held
  const percent = (share) => `${(100 * share).toFixed(Math.abs(share - 0.5) > 0.49 ? 2 : 0)}\u00a0%`
    .replace(".00", "");

  function add(row, tag, text = "") {
    const cell = row.appendChild(document.createElement(tag));
    cell.textContent = text;
    return cell;
  }

  // The mean of n of the runs, none of them twice.
  function draw(runs, n) {
    const left = [...runs];
    let sum = 0;
    for (let i = 0; i < n; i++) sum += left.splice(Math.floor(Math.random() * left.length), 1)[0];
    return sum / n;
  }

  const seeds = () => Number(box.querySelector("input:checked").value);
  const holds = (sentence, means) => sentence.higher.every(([one, other]) => means[one] > means[other]);
  const place = (means, mean) => 1 + means.filter((other) => other > mean).length;

  function tally() {
    tallies[seeds()] ??= { draws: 0, first: modes.map(() => 0), held: sentences.map(() => 0) };
    return tallies[seeds()];
  }

  function drawAll() {
    const means = modes.map((mode) => draw(mode.runs, seeds()));
    const counts = tally();
    counts.draws++;
    means.forEach((mean, i) => { counts.first[i] += place(means, mean) === 1; });
    sentences.forEach((sentence, i) => { counts.held[i] += holds(sentence, means); });
    return means;
  }

  function show(means, source) {
    const { draws, first, held } = tally();
    const soFar = (count) => (draws ? `${count} of ${draws} (${percent(count / draws)})` : "–");
    modes.forEach(({ row, bar }, i) => {
      bar.style.width = along(means[i]);
      row.cells[1].textContent = (means[i] / 100).toFixed(2);
      row.cells[3].textContent = place(means, means[i]);
      row.cells[4].textContent = soFar(first[i]);
    });
    sentences.forEach((sentence, i) => {
      const { row, shares } = sentence;
      const now = holds(sentence, means);
      row.className = now ? "holds" : "fails";
      row.cells[0].textContent = now ? "true" : "false";
      row.cells[2].textContent = soFar(held[i]);
      row.cells[3].textContent = percent(shares[seeds()]);
    });
    const best = modes[means.indexOf(Math.max(...means))];
    const count = sentences.filter((sentence) => holds(sentence, means)).length;
    box.querySelector("[role=status]").textContent = `${source}: ${best.name} is first with `
      + `${(Math.max(...means) / 100).toFixed(2)} %; ${count} of ${sentences.length} sentences hold.`;
  }

  function go(draws) {
    let means;
    for (let i = 0; i < draws; i++) means = drawAll();
    if (means) {
      const n = seeds();
      show(means, `Draw ${tally().draws} with ${n} ${n === 1 ? "seed" : "seeds"} per mode`);
    } else {
      for (const n of Object.keys(tallies)) delete tallies[n];
      show(modes.map((mode) => mode.published), "As published");
    }
  }

  const all = modes?.flatMap((mode) => [...mode.runs, mode.published]) ?? [];
  const low = 100 * Math.floor(Math.min(...all) / 100);
  const high = 100 * Math.ceil(Math.max(...all) / 100);
  const along = (value) => `${(100 * (value - low)) / (high - low)}%`; // the axis

  function build() {
    box.querySelector(".axis").textContent += `, ${low / 100} to ${high / 100} %`;
    for (const mode of modes) {
      mode.row = box.querySelector(".modes tbody").insertRow();
      add(mode.row, "th", mode.name).scope = "row";
      add(mode.row, "td");
      const cell = add(mode.row, "td");
      mode.bar = add(cell, "div");
      add(cell, "i").style.left = along(mode.published);
      for (let i = 0; i < 2; i++) add(mode.row, "td");
    }
    for (const sentence of sentences) {
      sentence.row = box.querySelector(".sentences tbody").insertRow();
      add(sentence.row, "td");
      add(sentence.row, "th", sentence.text).scope = "row";
      for (let i = 0; i < 2; i++) add(sentence.row, "td");
    }
    Object.keys(sentences[0].shares).forEach((n, i) => {
      const label = add(box.querySelector("fieldset"), "label");
      const radio = add(label, "input");
      Object.assign(radio, { type: "radio", name: "seeds", value: n, checked: i === 0 });
      label.append(Number(n) === modes[0].runs.length ? ` ${n} (all)` : ` ${n}`);
    });
    box.querySelector("fieldset").addEventListener("change", () => go(1));
    box.querySelector(".buttons").addEventListener("click", ({ target }) => {
      if (target.dataset.draws) go(Number(target.dataset.draws));
    });
    box.hidden = false;
    go(0);
  }

  if (box && modes) build();
}

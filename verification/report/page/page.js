"use strict";
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    const done = await copy(document.getElementById(button.dataset.copy).textContent);
    button.focus();
    button.textContent = done ? "Copied" : "Select and copy";
    one("#said").textContent = done ? "Copied" : "It could not be copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

const tree = one("#tree");
if (tree) {
  const leaves = all("[data-fate]", tree);
  const branches = all("details", tree);
  const opened = new Map(branches.map((branch) => [branch, branch.open]));
  const buttons = all("[data-show]");
  const search = one("#search");
  const show = () => {
    const wanted = buttons.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.show);
    const words = search.value.trim().toLowerCase();
    const filtered = wanted.length > 0 || words !== "";
    let shown = 0;
    for (const leaf of leaves) {
      const fits = (!wanted.length || wanted.includes(leaf.dataset.fate)) && leaf.dataset.path.toLowerCase().includes(words);
      leaf.classList.toggle("hidden", !fits);
      shown += fits;
    }
    for (const branch of branches) {
      const some = one("[data-fate]:not(.hidden)", branch.parentElement) !== null || branch.parentElement.matches("[data-fate]:not(.hidden)");
      branch.parentElement.classList.toggle("hidden", !some);
      branch.open = filtered ? some : opened.get(branch);
    }
    one("#shown").textContent = filtered ? `${shown} of ${leaves.length} shown` : "";
  };
  search.addEventListener("input", show);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      show();
    });
  }
  one("#unfold").addEventListener("click", () => branches.forEach((branch) => (branch.open = true)));
  one("#fold").addEventListener("click", () => branches.forEach((branch) => (branch.open = false)));
}

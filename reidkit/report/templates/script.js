"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Filters: a search field, a choice of tags and tick boxes hide what does not fit.
for (const form of all("[data-filters]")) {
  const rows = all(form.dataset.filters);
  const count = form.querySelector("output");
  const show = () => {
    const words = (form.querySelector("[type=search]")?.value ?? "").toLowerCase().split(/\s+/);
    const tag = form.querySelector("select")?.value ?? "";
    const ticked = all("[type=checkbox]:checked", form).map((box) => box.value);
    let left = 0;
    for (const row of rows) {
      const text = row.dataset.text.toLowerCase();
      const tags = (row.dataset.tags ?? "").split(" ");
      const fits = words.every((word) => text.includes(word)) && (!tag || tags.includes(tag))
        && ticked.every((one) => tags.includes(one));
      row.hidden = !fits;
      left += fits;
    }
    count.textContent = `${left} of ${rows.length} shown`;
  };
  for (const kind of ["input", "change"]) form.addEventListener(kind, show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
}

// A list of images is one stop of the tab key; arrow keys go through it.
for (const list of all(".tiles")) {
  const buttons = all("button", list);
  buttons.forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
  list.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  });
}

// Zoom: any picture or chart in a dialog; + - 0, the wheel, arrow keys for its neighbours.
const dialog = document.querySelector("dialog");
const stage = dialog.querySelector(".stage");
const title = dialog.querySelector("p");
let siblings = [], place = 0, scale = 1, width = 0;
const resize = (factor) => {
  scale = factor === 0 ? 1 : Math.min(8, Math.max(0.5, scale * factor));
  stage.firstElementChild.style.width = `${Math.round(width * scale)}px`;
};
const open = (at) => {
  place = (at + siblings.length) % siblings.length;
  const source = siblings[place].closest("figure, .zoomable") ?? siblings[place];
  const picture = source.querySelector("img, svg.chart").cloneNode(true);
  picture.removeAttribute("id");
  picture.style.height = "auto";
  stage.replaceChildren(picture);
  title.textContent = picture.getAttribute("alt") ?? picture.getAttribute("aria-label");
  const most = Math.min(innerWidth * 0.9, 900);
  width = picture.tagName === "IMG"
    ? Math.min(most, Math.max(3 * picture.naturalWidth, 180)) : most;
  if (picture.tagName === "IMG" && picture.naturalWidth > most) width = picture.naturalWidth;
  scale = 1;
  resize(1);
  if (!dialog.open) dialog.showModal();
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-zoom]");
  if (!button) return;
  const list = button.closest(".tiles, .grid");
  siblings = list ? all("button[data-zoom]", list) : [button];
  open(siblings.indexOf(button));
});
dialog.addEventListener("click", (event) => {
  const action = event.target.closest("button")?.dataset.do;
  if (action === "close" || event.target === dialog) dialog.close();
  if (action === "in") resize(1.4);
  if (action === "out") resize(1 / 1.4);
  if (action === "next") open(place + 1);
  if (action === "last") open(place - 1);
});
dialog.addEventListener("keydown", (event) => {
  const keys = { "+": 1.4, "=": 1.4, "-": 1 / 1.4, 0: 0 };
  if (event.key in keys) resize(keys[event.key]);
  else if (event.key === "ArrowRight") open(place + 1);
  else if (event.key === "ArrowLeft") open(place - 1);
  else return;
  event.preventDefault();
});
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  resize(event.deltaY < 0 ? 1.15 : 1 / 1.15);
}, { passive: false });

// The embedding map: one person alone.
for (const choice of all("[data-groups]")) {
  choice.closest("label").hidden = false;
  choice.addEventListener("change", () => {
    for (const point of all("[data-group]", choice.closest("figure"))) {
      const fits = choice.value === "" || point.dataset.group === choice.value;
      point.classList.toggle("faded", !fits);
    }
  });
}

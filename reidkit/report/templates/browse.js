"use strict";
// Search by a picture of one's own: the server answers with the tiles to show.
const field = document.querySelector("#picture");
field?.addEventListener("change", async () => {
  const status = document.querySelector("#status");
  if (!field.files.length) return;
  status.textContent = "searching";
  const answer = await fetch(field.dataset.to, { method: "POST", body: field.files[0] });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = page.querySelector(".results");
  if (list) document.querySelector(".results").replaceWith(list);
  status.textContent = list ? `${list.children.length} nearest images` : page.body.textContent.trim();
});

// Each version of the site is a folder of its own, and the file versions.json beside these folders
// lists them, newest first: ["0.2.0", "0.1.0"]. Without that file there is no menu.
const box = document.querySelector(".versions");
const root = new URL(document.documentElement.dataset.content_root, location.href);

async function fill() {
  const answer = await fetch(new URL("../versions.json", root));
  if (!answer.ok) return;
  const versions = await answer.json();
  const menu = box.querySelector("select");
  for (const version of versions) {
    const current = version === box.dataset.version;
    menu.append(new Option(version, version, current, current));
  }
  box.hidden = versions.length < 2;
  menu.addEventListener("change", () => open(menu.value));
}

async function open(version) {
  const home = new URL(`../${encodeURIComponent(version)}/`, root);
  const same = new URL(location.href.slice(root.href.length), home);
  const answer = await fetch(same, { method: "HEAD" });
  location.assign(answer.ok ? same : home);
}

if (box && location.protocol !== "file:") fill();

// "On this page" is narrow: a member stands below its class and needs no prefix.
for (const link of document.querySelectorAll(".toc-tree li li a")) {
  link.textContent = link.textContent.replace(/^\w+\.(?=\w+$)/, "");
}

// Behaviour of the pages: theme, keyboard, dialogs, copying, and an up-to-date list.
// Nothing from the server is ever run or inserted as HTML here.
"use strict";
(() => {
  const THEME = "convostore-theme";
  const find = (selector, within = document) => within.querySelector(selector);
  const remembered = () => {
    try { return localStorage.getItem(THEME); } catch { return null; }
  };
  const use = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  };
  use(remembered());

  const toggleTheme = () => {
    const shown = document.documentElement.dataset.theme
      || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = shown === "dark" ? "light" : "dark";
    use(next);
    try { localStorage.setItem(THEME, next); } catch { /* the theme then lasts as long as the page */ }
  };

  // Dialogs

  const ask = (question, onYes) => {
    const dialog = find("#confirm");
    find("#confirm-told").textContent = question;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") onYes(); }, { once: true });
    dialog.showModal();
  };

  const say = () => {
    const notice = find("#notice");
    clearTimeout(say.timer);
    notice.popover = "manual";
    if (notice.matches(":popover-open")) notice.hidePopover();
    notice.showPopover();
    say.timer = setTimeout(() => { notice.hidePopover(); notice.textContent = ""; }, 8000);
  };

  // Copying

  const copy = async (button) => {
    const code = find("pre", button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  const addCopying = (pre) => {
    const code = document.createElement("div");
    const button = document.createElement("button");
    code.className = "code";
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    pre.replaceWith(code);
    code.append(pre, button);
  };

  // Times in the zone of the reader; the title keeps the time of the server

  const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const MINUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const localise = (time) => {
    const date = new Date(time.dateTime);
    if (!isNaN(date)) time.textContent = (time.closest(".row") ? DAY : MINUTE).format(date);
  };

  const enhance = (element) => {
    element.querySelectorAll(".message pre").forEach((pre) => {
      if (!pre.parentElement.classList.contains("code")) addCopying(pre);
    });
    element.querySelectorAll("time[datetime]").forEach(localise);
  };

  // The list

  const mark = () => {
    const opened = find("#opened");
    document.querySelectorAll("#list a[aria-current]").forEach((each) => each.removeAttribute("aria-current"));
    const row = opened && document.getElementById(`c-${opened.dataset.key}`);
    if (row) find("a", row).setAttribute("aria-current", "page");
  };

  const refreshRow = (key) => {
    const row = document.getElementById(`c-${key}`);
    if (row) htmx.ajax("GET", row.dataset.row, { target: row, swap: "outerHTML" });
  };

  const refreshList = (key) => {
    const search = find("#search");
    if (search.value) refreshRow(key);
    else htmx.ajax("GET", find(".brand a").href, { target: "#list", swap: "innerHTML" });
  };

  const beside = (row, step) => {
    const next = step > 0 ? "nextElementSibling" : "previousElementSibling";
    const edge = step > 0 ? "firstElementChild" : "lastElementChild";
    return row[next] || row.parentElement[next]?.[edge];
  };

  const move = (step) => {
    const focused = document.activeElement.closest("#list .row");
    const opened = find("#list a[aria-current]")?.closest(".row");
    const next = focused ? beside(focused, step) : opened || find("#list .row");
    if (next) find("a", next)?.focus();
  };

  const turn = (step) => {
    const messages = [...document.querySelectorAll(".message")];
    const focused = messages.indexOf(document.activeElement.closest(".message"));
    const inView = messages.findIndex((each) => each.getBoundingClientRect().bottom > 60);
    const next = messages[focused < 0 ? Math.max(0, inView) : focused + step];
    if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "start" }); }
  };

  // Keys

  const leave = (search) => {
    const isSearching = document.activeElement === search;
    if (isSearching && search.value) {
      search.value = "";
      search.dispatchEvent(new Event("search"));
    } else if (isSearching) {
      search.blur();
    } else if (document.activeElement.closest("input")) {
      document.activeElement.blur();
    } else if (find("#opened")) {
      find(".back").click();
    }
  };

  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (find("dialog[open]") || find("[popover]:popover-open:not(#notice)")) return;
    const search = find("#search");
    const isTyping = event.target.closest("input, textarea, select");
    const isListing = event.target === search || event.target.closest("#list");
    const keys = {
      "/": () => search.select(),
      "?": () => find("#help").showModal(),
      j: () => move(1),
      k: () => move(-1),
      n: () => turn(1),
      p: () => turn(-1),
    };
    const always = { Escape: () => leave(search) };
    const arrows = { ArrowDown: () => move(1), ArrowUp: () => move(-1) };
    const act = always[event.key] || (isListing && arrows[event.key]) || (!isTyping && keys[event.key]);
    if (!search || !act) return;
    event.preventDefault();
    act();
  };

  const click = (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    if (hit("[data-theme-toggle]")) toggleTheme();
    else if (hit("[data-opens]")) document.getElementById(hit("[data-opens]").dataset.opens).showModal();
    else if (hit("[data-closes]")) hit("dialog").close();
    else if (hit(".copy")) copy(hit(".copy"));
    else if (hit("#notice")) find("#notice").hidePopover();
  };

  const settled = (event) => {
    // Called once for each row, so it must not search all other rows.
    const isRow = event.target.matches(".row");
    if (!isRow || event.target.id === `c-${find("#opened")?.dataset.key}`) mark();
    if (event.target.id !== "main") return;
    const target = find(".message.target");
    if (target) requestAnimationFrame(() => target.scrollIntoView({ block: "start" }));
    if (matchMedia("(max-width: 52rem)").matches) find("#main").focus({ preventScroll: true });
  };

  document.addEventListener("keydown", press);
  document.addEventListener("click", click);
  document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));
  document.addEventListener("htmx:afterSettle", settled);
  document.addEventListener("htmx:historyRestore", mark);
  document.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question, () => event.detail.issueRequest(true));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "notice") say();
  });
  document.addEventListener("htmx:sendError", () => {
    find("#notice").textContent = "Cannot reach the server.";
    say();
  });
  document.addEventListener("renamed", (event) => refreshRow(event.detail.key));
  document.addEventListener("pinned", (event) => refreshList(event.detail.key));
  document.addEventListener("deleted", (event) => document.getElementById(`c-${event.detail.key}`)?.remove());
})();

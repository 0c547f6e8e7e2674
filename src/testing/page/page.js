"use strict";

// Shows the requests to the sandbox. Data of a request is shown only through textContent, so it cannot run here.

const kept = 1000;
const exchanges = new Map();  // by number, oldest first
let last = 0;
let started = 0;
let selected = 0;
let ordersAreStale = true;
let filter = "all";
let language = remembered("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

const find = (id) => document.getElementById(id);
const words = () => WORDS[language];

function remembered(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function remember(name, value) {
  try { localStorage.setItem(name, value); } catch { /* the browser keeps nothing */ }
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);  // strings become text
  return made;
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

// The result of a request: its class, a badge, and the reason.
function verdict(one) {
  const answer = parsed(one.answer_body);
  const said = answer && answer.code ? `${answer.code}: ${answer.message}` : "";
  const detail = (answer && answer.detail) || {};
  const why = detail.explanation || [detail.field, detail.issue].filter((part) => typeof part === "string").join(" ");
  const english = typeof why === "string" ? why : "";
  const explanation = language === "zh" ? inChinese(english) : english;
  if (one.fault) return {kind: "faulty", title: `${words().faultWas}: ${one.fault}`, said, explanation};
  if (one.status === 204) return {kind: "good", title: words().committed, said: "", explanation: ""};
  const kind = one.status >= 300 ? "refused" : "good";
  return {kind, title: said || `${words().answered}: ${one.status}`, said, explanation};
}

function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString("en-GB");
}

function dateAndTime(milliseconds) {
  return new Date(milliseconds).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", {hourCycle: "h23"});
}

// The order number if the body has one, otherwise the path.
function subject(one) {
  const body = parsed(one.body);
  return body && typeof body.out_trade_no === "string" ? body.out_trade_no : one.path;
}

function matches(one) {
  if (filter !== "all" && verdict(one).kind !== filter) return false;
  const wanted = find("search").value.trim().toLowerCase();
  if (!wanted) return true;
  one.text ??= JSON.stringify([one.method, one.path, one.body, one.headers, one.status, one.answer_headers,
                               one.answer_body, one.fault, `${one.body} ${one.answer_body}`]).toLowerCase();
  return one.text.includes(wanted);
}

function fillRow(row, one) {
  const {kind, title, explanation} = verdict(one);
  row.replaceChildren(element("span", `badge ${kind}`, String(one.status || "—")),
                      element("span", "what", subject(one)), element("span", "why", explanation || title),
                      element("span", "when", clock(one.time)));
}

function addRow(one) {
  const row = element("button", "");
  row.type = "button";
  row.dataset.number = one.number;
  fillRow(row, one);
  row.addEventListener("click", () => select(one.number, true));
  const item = element("li", "new", row);
  item.hidden = !matches(one);
  find("list").prepend(item);
}

function showCounts() {
  const items = [...find("list").children];
  const empty = find("empty");
  empty.hidden = items.some((item) => !item.hidden);
  empty.textContent = items.length === 0 ? words().empty : words().none;
  find("count-requests").textContent = items.length;
}

function applyFilter() {
  for (const item of find("list").children) {
    item.hidden = !matches(exchanges.get(Number(item.firstChild.dataset.number)));
  }
  for (const button of find("filter").children) {
    button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
  }
  showCounts();
}

function signedLines(one) {
  const header = one.headers.find(([name]) => name.toLowerCase() === "authorization");
  const parts = Object.fromEntries([...(header ? header[1] : "").matchAll(/(\w+)="([^"]*)"/g)].map((pair) => pair.slice(1)));
  const lines = [one.method, one.path, parts.timestamp ?? words().missing, parts.nonce_str ?? words().missing, one.body];
  const table = element("table", "lines");
  lines.forEach((line, i) => {
    table.append(element("tr", "", element("th", "", String(i + 1), element("span", "", ` ${words().lineNames[i]}`)),
                         element("td", "", line)));
  });
  return element("div", "box", table);
}

function headerList(headers) {
  const list = element("dl", "");
  for (const [name, value] of headers) list.append(element("dt", "", name), element("dd", "", value));
  return list;
}

function bodyText(text, size) {
  const shown = element("pre", "", text);
  const whole = new TextEncoder().encode(text).length >= size;
  return element("div", "box", shown, whole ? "" : element("p", "hint", words().cut(size)));
}

function showDetail() {
  const detail = find("detail");
  const one = exchanges.get(selected);
  if (!one) return detail.replaceChildren();
  const {kind, title, said, explanation} = verdict(one);
  const back = element("button", "", `← ${words().back}`);
  back.id = "back";
  back.type = "button";
  back.addEventListener("click", leaveDetail);
  const callout = element("div", `verdict ${kind}`, element("strong", "", title));
  if (one.fault && said) callout.append(element("p", "", said));
  if (explanation) {
    const text = element("p", "", explanation);
    text.id = "explanation";
    callout.append(text);
  }
  if (one.broken) callout.append(element("p", "", words().notDelivered));
  const answerHeaders = element("div", "box", headerList(one.answer_headers));
  detail.replaceChildren(
      back,
      element("h2", "", element("span", `badge ${kind}`, String(one.status || "—")), subject(one)),
      element("p", "path", `${one.method} ${one.path}`),
      element("p", "when", `${dateAndTime(one.time)} · ${one.host}`),
      callout,
      element("h3", "", words().line), signedLines(one),
      element("h3", "", words().headers), element("div", "box", headerList(one.headers)),
      element("h3", "", words().body), bodyText(one.body, one.body_size),
      element("h3", "", `${words().answer}: ${one.status || "—"}`), answerHeaders,
      one.answer_body ? bodyText(one.answer_body, one.answer_body_size) : "");
}

function select(number, opens) {
  selected = number;
  for (const row of document.querySelectorAll("#list [aria-current]")) row.removeAttribute("aria-current");
  const row = document.querySelector(`#list [data-number="${Number(number)}"]`);
  if (row) row.setAttribute("aria-current", "true");
  showDetail();
  if (!opens) return;
  find("requests").classList.add("shows-detail");
  find("detail").scrollTop = 0;
}

function leaveDetail() {
  find("requests").classList.remove("shows-detail");
  const row = document.querySelector('#list [aria-current="true"]');
  if (row) row.focus();
}

function moveSelection(event) {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...document.querySelectorAll("#list li:not([hidden]) button")];
  const next = rows[rows.indexOf(document.activeElement) + step];
  if (!next) return;
  next.focus();
  select(Number(next.dataset.number), false);
}

function take(news) {
  for (const one of news) {
    exchanges.set(one.number, one);
    last = Math.max(last, one.number);
    addRow(one);
  }
  while (exchanges.size > kept) {
    exchanges.delete(exchanges.keys().next().value);
    find("list").lastChild.remove();
  }
  showCounts();
  if (news.length > 0 && !exchanges.has(selected)) select(last, false);
}

function forget() {
  exchanges.clear();
  last = 0;
  find("list").replaceChildren();
}

function showOrders(orders) {
  const fields = ["out_trade_no", "mchid", "sub_mchid", "card_id", "code", "bonus_value", "times"];
  find("order-rows").replaceChildren(
      ...orders.map((order) => element("tr", "", ...fields.map((field) => element("td", "", String(order[field]))))));
  const count = Number(find("count-orders").textContent);
  find("orders-cut").hidden = orders.length >= count;
  find("orders-cut").textContent = words().ordersCut(orders.length, count);
}

// Only while the orders are shown: there may be very many.
async function updateOrders() {
  if (!ordersAreStale || find("orders").hidden) return;
  ordersAreStale = false;
  showOrders(await get("orders"));
}

// Replacing a button would lose its focus, and a click that has begun on it.
function makeStages(names) {
  if (find("stages").childElementCount === names.length) return;
  find("stages").replaceChildren(...names.map((name) => {
    const button = element("button", "", words().stages[name] ?? name);
    button.type = "button";
    button.dataset.stage = name;
    button.addEventListener("click", () => send("stage", name, ""));
    return button;
  }));
}

function showControls({orders, fault, rate, stage, stages}) {
  find("count-orders").textContent = orders;
  const shown = find("active-fault");
  shown.hidden = !fault;
  shown.textContent = fault ? `${fault} ${Math.round(rate * 100)} %` : "";
  find("stage-form").hidden = stages.length === 0;
  makeStages(stages);
  for (const button of find("stages").children) {
    button.setAttribute("aria-pressed", String(button.dataset.stage === stage));
  }
}

async function get(path) {
  const answer = await fetch(path, {cache: "no-store"});
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function post(path, value) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: {"X-Sandbox-Page": "1"},
      body: typeof value === "string" ? value : JSON.stringify(value),
    });
    showControls(await get("controls"));
    return answer.ok;
  } catch {
    return false;
  }
}

function show(live) {
  find("live").className = live ? "" : "lost";
  find("live").textContent = live ? words().live : words().lost;
}

async function poll() {
  try {
    const {log: news, controls} = await get(`exchanges?after=${last}`);
    const another = news.started !== started;  // the sandbox has restarted: its numbers begin at 1
    const stale = another && last > 0;
    started = news.started;
    showControls(controls);
    if (stale) forget();
    else take(news.exchanges);
    if (another || news.exchanges.length > 0) ordersAreStale = true;
    await updateOrders();
    show(true);
    setTimeout(poll, news.more || stale ? 0 : 400);
  } catch {
    show(false);
    setTimeout(poll, 2000);
  }
}

function chosenFault() {
  const fault = {fault: find("fault").value, rate: Number(find("rate").value) / 100};
  if (fault.fault === "http-status") fault.fault = find("status").value;
  if (!find("pause-label").hidden) fault.pause_ms = Number(find("pause").value);
  return fault;
}

function showMeaning() {
  const name = find("fault").value;
  find("meaning").textContent = FAULTS[name][language === "zh" ? 1 : 0];
  find("status-label").hidden = name !== "http-status";
  find("pause-label").hidden = name !== "delay" && name !== "slow";
}

async function send(path, value, said) {
  const taken = await post(path, value);
  find("said").textContent = taken ? said : words().saidFailed;
}

function openTab(tab) {
  for (const other of document.querySelectorAll('[role="tab"]')) {
    const open = other === tab;
    other.setAttribute("aria-selected", String(open));
    other.tabIndex = open ? 0 : -1;
    find(other.getAttribute("aria-controls")).hidden = !open;
  }
}

function moveTab(event) {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!step) return;
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
  openTab(next);
  next.focus();
}

function speak() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words().title;
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = words()[one.dataset.word];
  for (const one of document.querySelectorAll("[data-placeholder]")) one.placeholder = words()[one.dataset.placeholder];
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", words()[one.dataset.label]);
  for (const one of document.querySelectorAll("[data-stage]")) one.textContent = words().stages[one.dataset.stage];
  find("language").textContent = words().other;
  find("said").textContent = "";
  for (const item of find("list").children) fillRow(item.firstChild, exchanges.get(Number(item.firstChild.dataset.number)));
  show(true);
  showMeaning();
  showDetail();
  showCounts();
  ordersAreStale = true;
}

function listen() {
  find("language").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    remember("language", language);
    speak();
  });
  find("search").addEventListener("input", applyFilter);
  find("filter").addEventListener("click", (event) => {
    if (!event.target.dataset.filter) return;
    filter = event.target.dataset.filter;
    applyFilter();
  });
  find("list").addEventListener("keydown", moveSelection);
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    tab.addEventListener("click", () => openTab(tab));
    tab.addEventListener("keydown", moveTab);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leaveDetail();
    if (event.key !== "/" || event.target.matches("input, select")) return;
    event.preventDefault();
    openTab(find("tab-requests"));
    find("search").focus();
  });
  find("fault").addEventListener("change", showMeaning);
  find("rate").addEventListener("input", () => { find("rate-shown").textContent = `${find("rate").value} %`; });
  find("next").addEventListener("click", () => {
    const fault = chosenFault();
    send("faults", {...fault, next: true}, words().saidNext(fault.fault));
  });
  find("from-now").addEventListener("click", () => {
    const fault = chosenFault();
    send("faults", fault, words().saidOn(fault.fault, find("rate").value));
  });
  find("off").addEventListener("click", () => send("faults", {fault: "none", rate: 0}, words().saidOff));
  for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
}

find("fault").append(...Object.keys(FAULTS).map((name) => new Option(name, name)));
listen();
speak();
poll();

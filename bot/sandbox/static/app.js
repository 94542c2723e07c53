// The sandbox page. Everything shown comes over /sandbox/events; everything done is a POST.

const $ = (id) => document.getElementById(id);
const KEPT = 120;
const ROLES = { rep: "销售", manager: "经理", marketing: "市场", admin: "管理员", group: "群聊" };
const PLATFORMS = { wecom: "企业微信", dingtalk: "钉钉" };
const FACES = ["#5b8def", "#e8825d", "#43b07c", "#9b72d9", "#d9a13b", "#4aa8b8", "#d76b93", "#7a8699"];
const BOT = "线索助手";
const EMPTY = {
  rep: "有新线索会先到这里，也可以发「帮助」",
  manager: "没人接的线索会来这里请你分配，也可以发「日报」",
  marketing: "退回培育的线索会到这里",
  group: "每个工作日 18:30 的日报会发到这里",
};

const SAYS = { rep: "跟进 1 电话聊了…", marketing: "活码 展会 李雷" };
const CHIPS = {
  rep: ["我的", "公海", "今日", "帮助"],
  manager: ["日报", "公海", "帮助"],
  marketing: ["活码", "渠道", "漏斗", "帮助"],
  group: ["日报", "绑定"],
};

const world = {
  phones: new Map(), messages: new Map(), mails: [], contacts: new Map(), wires: [],
  menu: [], codes: [], steps: new Set(), hand: "", zone: "Asia/Shanghai", now: 0, at: 0, speed: 1, unread: new Map(),
};

// ---------------------------------------------------------------- small pieces

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== "" && child !== false));
  return node;
}

const escaped = (text) => String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

async function act(name, body) {
  const response = await fetch(`api/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (response === null) return toast("沙盒没有应答，看看它还在运行吗");
  if (!response.ok) toast((await response.json().catch(() => ({}))).error || `没有成功（${response.status}）`);
  return response.ok;
}

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 4000);
  return false;
}

function face(name, index) {
  return el("i", { class: "face", style: `background:${FACES[index % FACES.length]}` }, name.slice(-1));
}

// ---------------------------------------------------------------- time

const sandboxNow = () => new Date(world.now + (performance.now() - world.at) * world.speed);
const inZone = (options) => new Intl.DateTimeFormat("zh-CN", { timeZone: world.zone, ...options });
const clockText = (date) => inZone({ hour: "2-digit", minute: "2-digit", hour12: false }).format(date);
const dayText = (date) => inZone({ month: "long", day: "numeric", weekday: "short" }).format(date);

function setClock(iso) {
  world.now = new Date(iso).getTime();
  world.at = performance.now();
  showClock();
}

function showClock() {
  const now = sandboxNow();
  const text = clockText(now);
  if ($("time").textContent === text && $("date").textContent === dayText(now)) return;
  $("time").textContent = text;
  $("date").textContent = dayText(now);
  $("speed").textContent = world.speed === 1 ? "" : ` · ×${world.speed}`;
  document.querySelectorAll(".status-time").forEach((node) => { node.textContent = text; });
}

async function moveClock(button) {
  const buttons = [...$("jump").children];
  buttons.forEach((each) => { each.disabled = true; });
  $("flow").hidden = false;
  await act("clock", JSON.parse(button.dataset.span));
  $("flow").hidden = true;
  buttons.forEach((each) => { each.disabled = false; });
}

// ---------------------------------------------------------------- text as the platforms draw it

function inline(text, message) {
  let html = escaped(text);
  html = html.replace(/`([^`]+)`/g, "<code>$1</code>");
  html = html.replace(/!\[([^\]]*)\]\((\S+?)\)/g, (_, alt, url) => picture(url, alt));
  html = html.replace(/\[([^\]]+)\]\((\S+?)\)/g, (_, label, url) => link(label, url, message));
  html = html.replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>").replace(/(^|[^*])\*([^*\s][^*]*)\*/g, "$1<i>$2</i>");
  html = html.replace(/&#60;font color=&#34;(info|comment|warning)&#34;&#62;/g, '<span class="font-$1">');
  html = html.replace(/&#60;\/font&#62;/g, "</span>");
  return html.replace(/&#60;@([\w.-]+)&#62;/g, "<span class=\"at\">@$1</span>");
}

function link(label, url, message) {
  if (url.startsWith("dtmd:")) return `<a href="#" class="cmd" data-message="${message.id}" data-value="${url}">${label}</a>`;
  if (/^https?:/.test(url)) return `<a href="${url}" target="_blank" rel="noopener noreferrer">${label}</a>`;
  return label;
}

function picture(url, alt) {
  const source = /^(https?:|data:image)/.test(url) ? ownPath(url) : `media/${encodeURIComponent(url)}`;
  return `<img src="${source}" alt="${alt || "图片"}">`;
}

// DingTalk joins lines unless one ends with two blanks; WeCom keeps every line.
function markdown(text, message) {
  const dingtalk = message.chat.startsWith("dingtalk");
  const blocks = [];
  let lines = [];
  const flush = () => { if (lines.length) blocks.push(`<p>${lines.join("")}</p>`); lines = []; };
  for (const raw of String(text ?? "").split("\n")) {
    const line = raw.trim();
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^(?:[-*]|(\d+)\.)\s+(.*)$/.exec(line);
    if (!line) flush();
    else if (heading) { flush(); blocks.push(`<h${heading[1].length}>${inline(heading[2], message)}</h${heading[1].length}>`); }
    else if (line.startsWith(">")) { flush(); blocks.push(`<blockquote>${inline(line.slice(1).trim(), message)}</blockquote>`); }
    else if (/^(-{3,}|\*{3,})$/.test(line)) { flush(); blocks.push("<hr>"); }
    else if (item) { flush(); blocks.push(`<div class="item"><span>${item[1] ? `${item[1]}.` : "•"}</span><div>${inline(item[2], message)}</div></div>`); }
    else lines.push(inline(line, message) + (!dingtalk || / {2}$/.test(raw) ? "<br>" : " "));
  }
  flush();
  return blocks.join("").replace(/<br><\/p>/g, "</p>").replace(/<\/blockquote><blockquote>/g, "<br>");
}

// Plain text: WeCom takes <a href> in it; both make addresses pressable.
function plain(text) {
  return escaped(text)
    .replace(/&#60;a href=&#34;(https?:[^&\s]+(?:&#38;[^&\s]+)*)&#34;&#62;(.*?)&#60;\/a&#62;/g, '<a href="$1" target="_blank" rel="noopener noreferrer">$2</a>')
    .replace(/(^|[\s：，。（])(https?:\/\/[^\s<，。）]+)/g, '$1<a href="$2" target="_blank" rel="noopener noreferrer">$2</a>');
}

// The product's own pictures, whichever name of this machine it calls itself by.
function ownPath(url) {
  const own = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/.*)$/.exec(url);
  return own ? own[3] : url;
}

function html(tag, name, content) {
  const node = el(tag, { class: name });
  node.innerHTML = content; // built above from escaped text only
  return node;
}

// ---------------------------------------------------------------- cards

function weComCard(message) {
  const card = message.body;
  const head = card.main_title || {};
  const source = card.source || {};
  return el("div", { class: "card" },
    source.desc && el("div", { class: `source tint-${source.desc_color || 0}` }, el("i", { class: "logo" }), source.desc),
    el("div", { class: "head" }, head.title && el("b", {}, head.title), head.desc && el("span", {}, head.desc)),
    card.emphasis_content && el("div", { class: "emphasis" }, el("b", {}, card.emphasis_content.title || ""), el("span", {}, card.emphasis_content.desc || "")),
    quote(card.quote_area),
    card.sub_title_text && el("p", { class: "sub" }, card.sub_title_text),
    rows(card.horizontal_content_list),
    card.jump_list?.length && el("div", { class: "jumps" }, card.jump_list.map((jump) => anchor(jump.url, el("span", {}, jump.title), "›"))),
    weComMenu(message, card),
    weComButtons(message, card));
}

function weComMenu(message, card) {
  const actions = card.replace_text ? [] : card.action_menu?.action_list || [];
  return actions.length > 0 && el("details", { class: "menu" }, el("summary", { title: card.action_menu.desc || "" }, "···"),
    actions.map((action) => el("button", { "data-value": action.key, onclick: (event) => press(event.currentTarget, message, action.key, action.text) }, action.text)));
}

function quote(area) {
  if (!area || (!area.title && !area.quote_text)) return null;
  return el("blockquote", {}, area.title && el("b", {}, area.title), el("span", {}, area.quote_text || ""));
}

function rows(list) {
  if (!list?.length) return null;
  return el("dl", {}, list.map((row) => [el("dt", {}, row.keyname), el("dd", {}, row.type === 1 ? anchor(row.url, row.value || "查看") : row.value || "")]));
}

function anchor(url, ...children) {
  return /^https?:/.test(url || "") ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children) : el("span", {}, ...children);
}

function weComButtons(message, card) {
  if (card.replace_text) return el("div", { class: "buttons" }, el("button", { class: "done", disabled: true }, card.replace_text));
  const buttons = [...(card.button_list || []), ...(card.submit_button ? [card.submit_button] : [])];
  if (!buttons.length) return null;
  return el("div", { class: `buttons n${buttons.length}` }, buttons.map((button) => weComButton(message, button)));
}

function weComButton(message, button) {
  const name = `style-${button.style || 1}`;
  if (button.type === 1) return el("a", { class: `button ${name}`, href: button.url, target: "_blank", rel: "noopener noreferrer" }, button.text);
  return el("button", { class: name, "data-value": button.key, onclick: (event) => press(event.currentTarget, message, button.key, button.text) }, button.text);
}

function actionCard(message) {
  const { text, buttons, beside } = message.body;
  return el("div", { class: "card" },
    html("div", "markdown", markdown(text, message)),
    el("div", { class: `actions${beside ? " beside" : ""}` }, buttons.map((button) => actionButton(message, button))));
}

function actionButton(message, button) {
  if (!button.url.startsWith("dtmd:")) return anchor(button.url, button.title);
  return el("button", { "data-value": button.url, onclick: (event) => press(event.currentTarget, message, button.url, button.title) }, button.title);
}

// What the template of docs/dingtalk-card shows; a press is answered with the card's new look.
function instanceCard(message) {
  const { title, parts, buttons } = message.body;
  return el("div", { class: "card instance" },
    el("div", { class: "head" }, el("b", {}, title), parts.note && el("span", {}, parts.note)),
    parts.rows && html("div", "markdown", markdown(parts.rows, message)),
    parts.quote && el("blockquote", {}, el("span", {}, parts.quote)),
    parts.why && el("p", { class: "sub" }, parts.why),
    buttons.length > 0 && el("div", { class: `buttons n${buttons.length}` }, buttons.map((button) => instanceButton(message, button))));
}

function instanceButton(message, button) {
  const name = button.color === "blue" ? "style-1" : "style-2";
  return el("button", { class: name, "data-value": button.url, onclick: (event) => press(event.currentTarget, message, button.url, button.title) }, button.title);
}

function massTask(message) {
  const { text, customers, sent } = message.body;
  return el("div", { class: "card task" },
    el("div", { class: "source" }, el("i", { class: "logo" }), "客户联系 · 企业群发"),
    el("div", { class: "head" }, el("b", {}, "管理员邀请你群发消息"), el("span", {}, `发给 ${customers.join("、")}`)),
    el("blockquote", {}, el("span", {}, text)),
    el("div", { class: "buttons" }, sent
      ? el("button", { class: "done", disabled: true }, "已发送")
      : el("button", { class: "style-1", onclick: (event) => { event.currentTarget.disabled = true; act("confirm", { message: message.id }); } }, "发送给客户")));
}

function linkCard(message) {
  const { title, text, url, button } = message.body;
  return el("div", { class: "card" },
    el("div", { class: "head" }, el("b", {}, title)),
    html("p", "sub", escaped(text).replace(/&#60;br&#62;/g, "<br>").replace(/&#60;div class=&#34;(gray|normal|highlight)&#34;&#62;(.*?)&#60;\/div&#62;/g, '<span class="$1">$2</span><br>')),
    el("div", { class: "jumps" }, anchor(url, el("span", {}, button || "查看"), "›")));
}

const DRAWN = {
  text: (message) => html("div", "bubble", plain(message.body.text)),
  markdown: (message) => html("div", "bubble markdown", markdown(message.body.text, message)),
  card: weComCard,
  actions: actionCard,
  instance: instanceCard,
  task: massTask,
  link: linkCard,
  image: (message) => html("div", "bubble image", picture(message.body.media, "图片")),
  notice: (message) => el("div", { class: "recalled" }, message.body.text),
};

async function press(button, message, value, label) {
  button.classList.add("pressed");
  const by = $("stage").querySelector(`[data-phone="${CSS.escape(message.chat)}"] select`)?.value || "";
  seen(message.chat);
  world.hand = message.chat;
  await act("press", { message: message.id, value, label, by });
  button.classList.remove("pressed");
}

// ---------------------------------------------------------------- phones

function buildPhones() {
  const stage = $("stage");
  stage.replaceChildren();
  $("dock").replaceChildren();
  [...world.phones.values()].forEach((phone, index) => {
    stage.append(phone.role === "group" ? groupPhone(phone) : memberPhone(phone, index));
    $("dock").append(dockFace(phone, index));
  });
  stage.querySelectorAll(".phone").forEach((node) => inView.observe(node));
}

// The dock is a map of the stage: faces of phones out of sight are pale.
const inView = new IntersectionObserver((entries) => entries.forEach((entry) => {
  const id = entry.target.dataset.phone;
  $("dock").querySelector(`[data-dock="${CSS.escape(id)}"]`)?.classList.toggle("away", !entry.isIntersecting);
}), { threshold: 0.6 });

function memberPhone(phone, index) {
  const where = `${ROLES[phone.role] || phone.role} · ${PLATFORMS[phone.platform]}`;
  return frame(phone, [face(phone.name, index), el("b", {}, phone.name), el("span", {}, where)], sayBar(phone));
}

function groupPhone(phone) {
  const label = [el("i", { class: "face group" }, "群"), el("b", {}, phone.name), el("span", {}, PLATFORMS[phone.platform])];
  return frame(phone, label, sayBar(phone, members(phone.platform)));
}

const members = (platform) => [...world.phones.values()].filter((phone) => phone.platform === platform && phone.role !== "group");

function frame(phone, label, bar) {
  const node = el("article", { class: `phone ${phone.platform}`, "data-phone": phone.id, onpointerenter: () => seen(phone.id), onfocusin: () => seen(phone.id) },
    el("div", { class: "owner" }, ...label, el("em", { class: "badge", hidden: true })),
    el("div", { class: "frame" },
      el("div", { class: "status" }, el("span", { class: "status-time" }, ""), el("i", {})),
      el("div", { class: "top" }, "‹", el("b", {}, phone.role === "group" ? `${phone.name}（${members(phone.platform).length + 1}）` : BOT), el("span", { class: "tag" }, phone.role === "group" ? "内部" : phone.platform === "wecom" ? "应用" : "机器人")),
      el("div", { class: "chat", "aria-live": "polite" }, el("p", { class: "empty" }, EMPTY[phone.role] || EMPTY.rep)),
      bar));
  return node;
}

function sayBar(phone, speakers) {
  const input = el("input", { placeholder: speakers ? "@线索助手 日报" : SAYS[phone.role] || "日报、分配 1 李雷…", "aria-label": `${phone.name}说`, maxlength: 2000, autocomplete: "off" });
  const select = speakers && el("select", { "aria-label": "谁在说" }, speakers.map((who) => el("option", { value: who.account, selected: who.role === "manager" }, who.name)));
  const chips = el("div", { class: "chips" });
  const form = el("form", { class: "say" }, el("div", { class: "line" }, select, input, el("button", {}, "发送")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    world.hand = phone.id;
    act("say", { phone: phone.id, text, by: select?.value });
  });
  return el("div", { class: "talk" }, chips, form, el("nav", { class: "menubar", "aria-label": "应用菜单", hidden: true }));
}

// The menu the product has published, under the chats with its app.
function showMenu() {
  members("wecom").forEach((phone) => {
    const bar = phoneNode(phone.id)?.querySelector(".menubar");
    if (!bar) return;
    bar.hidden = !world.menu.length;
    bar.replaceChildren(...world.menu.map((entry) => (entry.sub_button?.length ? menuBelow(phone, entry) : menuEntry(phone, entry))));
  });
}

function menuBelow(phone, entry) {
  return el("details", {}, el("summary", {}, entry.name), el("div", {}, entry.sub_button.map((below) => menuEntry(phone, below))));
}

function menuEntry(phone, entry) {
  return el("button", {
    type: "button",
    onclick: (event) => {
      event.currentTarget.closest("details")?.removeAttribute("open");
      act("menu", { phone: phone.id, key: entry.key });
    },
  }, entry.name);
}

// Chips are what one would type next: commands at once, sentences into the input to look at first.
function showChips(phoneId) {
  const phone = world.phones.get(phoneId);
  const node = phoneNode(phoneId)?.querySelector(".chips");
  if (!node) return;
  const number = lastNumber(phoneId);
  const own = CHIPS[phone.role] || CHIPS.manager;
  const sentences = number && phone.role === "rep"
    ? [[`跟进 ${number}`, `跟进 ${number} 电话聊了，想看报价，明天上午10点再联系`], [`退回 ${number}`, `退回 ${number} 未到时机，预算明年才批`]] : [];
  node.replaceChildren(
    ...sentences.map(([label, text]) => el("button", { class: "sentence", type: "button", onclick: () => fillLine(phoneId, text) }, label)),
    ...own.map((text) => el("button", { type: "button", onclick: () => act("say", { phone: phoneId, text, by: phoneNode(phoneId).querySelector("select")?.value }) }, text)));
}

function fillLine(phoneId, text) {
  const input = phoneNode(phoneId).querySelector(".say input");
  input.value = text;
  input.focus();
}

// A card that can still be taken, or waits in the pool, is nobody's yet: there is nothing to log on it.
const OPEN = /"(text|title)":"(接受|领取|公海 #)/;

function lastNumber(phoneId) {
  const chat = world.messages.get(phoneId) || [];
  for (let i = chat.length - 1; i >= 0; i -= 1) {
    const body = JSON.stringify(chat[i].body);
    const found = !chat[i].mine && !OPEN.test(body) && /#(\d+)/.exec(body);
    if (found) return found[1];
  }
  return null;
}

function dockFace(phone, index) {
  const node = phone.role === "group" ? el("i", { class: "face group" }, "群") : face(phone.name, index);
  return el("button", { class: phone.platform, "data-dock": phone.id, title: `${phone.name} · ${PLATFORMS[phone.platform]}`, onclick: () => goTo(phone.id) }, node, el("em", { class: "badge", hidden: true }));
}

const phoneNode = (id) => $("stage").querySelector(`[data-phone="${CSS.escape(id)}"]`);

function goTo(id) {
  const node = phoneNode(id);
  node?.scrollIntoView({ behavior: "smooth", inline: "center", block: "nearest" });
  if (node) flash(node);
}

function flash(node) {
  node.classList.remove("flash");
  void node.offsetWidth;
  node.classList.add("flash");
}

// ---------------------------------------------------------------- messages

function takeMessage(message, fresh) {
  const chat = world.messages.get(message.chat) || [];
  world.messages.set(message.chat, chat);
  const at = chat.findIndex((each) => each.id === message.id);
  if (at < 0 && chat.length >= KEPT && message.id < chat[0].id) return;
  if (at < 0) chat.push(message); else chat[at] = message;
  if (chat.length > KEPT) chat.shift();
  if (message.chat.startsWith("wechat:")) return showWeChat(fresh);
  showMessage(message, fresh);
  if (fresh && !message.mine && at < 0) unread(message.chat);
}

function showMessage(message, fresh) {
  const phone = phoneNode(message.chat);
  const list = phone?.querySelector(".chat");
  if (!list) return;
  const old = list.querySelector(`[data-id="${message.id}"]`);
  const node = drawn(message);
  if (old) {
    old.replaceWith(node);
    if (fresh) node.classList.add("changed");
  } else {
    addTime(list, message);
    list.append(node);
    if (fresh) node.classList.add("new");
    while (list.querySelectorAll(".message").length > KEPT) list.querySelector(".message").remove();
  }
  if (!fresh) return;
  flash(phone);
  scrollDown(list, node);
  showChips(message.chat);
}

function scrollDown(list, node) {
  const target = node.offsetTop + node.offsetHeight - list.clientHeight + 14;
  list.scrollTo({ top: Math.max(list.scrollTop, target), behavior: "smooth" });
}

function addTime(list, message) {
  list.querySelector(".empty")?.remove();
  const at = new Date(message.at);
  if (at - Number(list.dataset.last || 0) < 5 * 60000) return;
  list.dataset.last = at.getTime();
  const today = dayText(at) === dayText(sandboxNow());
  list.append(el("div", { class: "when" }, today ? clockText(at) : `${dayText(at)} ${clockText(at)}`));
}

function drawn(message) {
  const side = message.mine ? "mine" : "theirs";
  const wide = ["card", "actions", "instance", "task", "link"].includes(message.kind) ? " wide" : "";
  if (message.recalled) return el("div", { class: "message", "data-id": message.id, hidden: true }); // it leaves no trace
  const group = message.chat.endsWith("-group");
  return el("div", { class: `message ${side}${wide}`, "data-id": message.id },
    group && message.by && el("div", { class: "by" }, message.by),
    (DRAWN[message.kind] || DRAWN.text)(message));
}

function unread(chat) {
  world.unread.set(chat, (world.unread.get(chat) || 0) + 1);
  showUnread(chat);
}

function seen(chat) {
  if (!world.unread.get(chat)) return;
  world.unread.delete(chat);
  showUnread(chat);
}

function showUnread(chat) {
  const count = world.unread.get(chat) || 0;
  const nodes = [phoneNode(chat), $("dock").querySelector(`[data-dock="${CSS.escape(chat)}"]`)];
  nodes.forEach((node) => {
    const badge = node?.querySelector(".badge");
    if (!badge) return;
    badge.textContent = count > 99 ? "99+" : count;
    badge.hidden = !count;
  });
}

// ---------------------------------------------------------------- the customer

const SAMPLES = [
  { name: "陈思远", phone: "13816280042", email: "chensiyuan@example.com", company: "远航精密机械有限公司", title: "采购总监", region: "上海", industry: "制造业", product: "CRM", message: "团队 40 人，想把线索分配自动化，这周能给个报价吗？" },
  { name: "林晓彤", phone: "13570093316", email: "linxiaotong@example.com", company: "彤云文化传媒", title: "市场经理", region: "广东", industry: "传媒", product: "CRM", message: "展会上看到你们的演示，想了解怎么接企业微信" },
  { name: "周建国", phone: "13911650078", email: "zhoujianguo@example.com", company: "北方仪器集团", title: "信息部主任", region: "北京", industry: "仪器仪表", product: "私有部署", message: "数据必须放在自己机房，支持吗？" },
  { name: "沈佳", phone: "13757180265", email: "shenjia@example.com", company: "佳禾食品", title: "销售总监", region: "浙江", industry: "食品", product: "CRM", message: "现在线索都在表格里，经常撞单，怎么解决" },
  { name: "马志强", phone: "18602890517", email: "mazhiqiang@example.com", company: "蓉城物流", title: "总经理", region: "四川", industry: "物流", product: "CRM", message: "钉钉用户，想先试用两周" },
];
let sample = 0;

function openForm() {
  $("form").src = "/f/default";
}

function fillForm() {
  const page = $("form").contentDocument;
  const form = page?.querySelector("form");
  if (!form) {
    $("form").addEventListener("load", fillForm, { once: true });
    return openForm();
  }
  const person = SAMPLES[sample % SAMPLES.length];
  sample += 1;
  for (const field of form.elements) fillField(field, person);
  return page.scrollingElement.scrollTo({ top: page.scrollingElement.scrollHeight, behavior: "smooth" });
}

function fillField(field, person) {
  if (field.type === "checkbox") field.checked = true;
  else if (field.tagName === "SELECT") field.value = [...field.options].find((each) => each.value === person[field.name])?.value ?? field.options[field.options.length > 1 ? 1 : 0]?.value;
  else if (person[field.name] && field.type !== "hidden") field.value = person[field.name];
}

function openTab(name) {
  document.querySelectorAll("[data-pane]").forEach((pane) => { pane.hidden = pane.dataset.pane !== name; });
  document.querySelectorAll("[data-tab]").forEach((tab) => {
    tab.setAttribute("aria-selected", tab.dataset.tab === name);
    if (tab.dataset.tab === name) tab.querySelector(".dot")?.setAttribute("hidden", "");
  });
}

function markTab(name) {
  const tab = document.querySelector(`[data-tab="${name}"]`);
  if (tab.getAttribute("aria-selected") !== "true") tab.querySelector(".dot").hidden = false;
}

function visit(url) {
  const there = new URL(url, location.href);
  $("web-address").textContent = there.pathname;
  $("web-offline").hidden = true;
  $("web").hidden = false;
  $("web").src = there.pathname + there.search; // whatever public name the product goes by
  openTab("web");
}

// A tracked link may lead out of the sandbox; the page's policy stops it there.
document.addEventListener("securitypolicyviolation", (event) => {
  if (!/frame-src|default-src/.test(event.effectiveDirective) || document.querySelector('[data-pane="web"]').hidden) return;
  $("web").hidden = true;
  $("web-offline").textContent = `客户打开了 ${event.blockedURI}（沙盒不访问外网）`;
  $("web-offline").hidden = false;
});

function takeMail(mail, fresh) {
  world.mails = world.mails.filter((each) => each.id !== mail.id);
  world.mails.unshift(mail);
  showMails();
  if (fresh) markTab("mail");
}

function showMails() {
  if (!world.mails.length) return $("mails").replaceChildren(el("p", { class: "empty" }, "还没有信。线索退回培育后，第一封信在一天之后寄出：把上面的时钟拨快一天看看"));
  return $("mails").replaceChildren(...world.mails.map((mail) => el("button", { class: "mail", onclick: () => openMail(mail) },
    el("b", {}, mail.subject || "（无主题）"), el("span", {}, `${dayText(new Date(mail.at))} ${clockText(new Date(mail.at))}`),
    el("p", {}, `给 ${mail.to}`), el("p", { class: "teaser" }, mail.text.slice(0, 80)))));
}

function openMail(mail) {
  const body = el("div", { class: "letter" });
  const root = body.attachShadow({ mode: "open" });
  root.append(...(mail.html ? safe(mail.html) : [html("pre", "", escaped(mail.text).replace(/(https?:\/\/[^\s&]+)/g, '<a href="$1">$1</a>'))]));
  root.append(el("style", {}, LETTER));
  root.addEventListener("click", (event) => {
    const target = event.composedPath().find((node) => node.tagName === "A");
    if (!target) return;
    event.preventDefault();
    visit(target.href);
  });
  $("mails").replaceChildren(
    el("div", { class: "reading" }, el("button", { onclick: showMails }, "‹ 收件箱"), mail.unsubscribe && el("button", { onclick: () => visit(mail.unsubscribe) }, "退订")),
    el("h2", {}, mail.subject), el("p", { class: "meta" }, `${mail.sender} → ${mail.to}`), body);
}

const LETTER = ":host{all:initial;font:14px/1.7 'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;color:#22303f;display:block;overflow-wrap:anywhere}pre{white-space:pre-wrap;font:inherit;margin:0}a{color:#2563eb}img{max-width:100%}";

// Mail is the product's own, but it carries what a stranger wrote: nothing in it may run or load.
function safe(source) {
  const page = new DOMParser().parseFromString(source, "text/html");
  page.querySelectorAll("script,iframe,object,embed,form,link,meta,base,title").forEach((node) => node.remove());
  page.querySelectorAll("*").forEach((node) => {
    [...node.attributes].forEach(({ name, value }) => {
      if (name.startsWith("on") || /^\s*(javascript|data):/i.test(value)) node.removeAttribute(name);
    });
  });
  return [...page.head.querySelectorAll("style"), ...page.body.childNodes];
}

const GUESTS = ["赵雅文", "钱立群", "孙若兰", "李嘉", "吴凯"];
function showScan() {
  const reps = [...world.phones.values()].filter((phone) => phone.platform === "wecom" && phone.role === "rep");
  $("scan").replaceChildren(el("span", {}, "扫一扫加好友"), ...reps.map((rep) => el("button", {
    onclick: async () => {
      await act("contacts", { userid: rep.account, name: GUESTS[world.contacts.size % GUESTS.length], state: "expo" });
      openTab("wechat");
    },
  }, el("i", { class: "qr" }), `${rep.name}的展会码`)), ...world.codes.map(scanCode));
}

// What marketing has made with 活码.
function scanCode(state) {
  return el("button", {
    onclick: async () => {
      await act("scan", { state, name: GUESTS[world.contacts.size % GUESTS.length] });
      openTab("wechat");
    },
  }, el("i", { class: "qr" }), `「${state}」的活码`);
}

function showWeChat(fresh) {
  const people = [...world.contacts.values()].reverse();
  if (!people.length) return $("wechat").replaceChildren(el("p", { class: "empty" }, "客户在展会上扫了销售的码，就会成为企业微信联系人，也是一条线索"));
  $("wechat").replaceChildren(...people.flatMap((contact) => [
    el("div", { class: "when" }, `${contact.name}的微信 · ${contact.userids.length ? `已添加 ${contact.userids.map(nameOf).join("、")}` : "已删除好友"} `,
      ...contact.userids.map((userid) => el("button", { onclick: () => act("part", { contact: contact.id, userid }) }, `删除${nameOf(userid)}`))),
    ...(world.messages.get(`wechat:${contact.id}`) || []).map((message) => el("div", { class: "message theirs" }, el("div", { class: "by" }, message.by), DRAWN.text(message))),
  ]));
  if (fresh) markTab("wechat");
  return null;
}

const nameOf = (userid) => world.phones.get(`wecom:${userid}`)?.name || userid;

// ---------------------------------------------------------------- the wire log

function takeWire(wire) {
  world.wires.push(wire);
  if (world.wires.length > 300) world.wires.shift();
  $("wires-last").replaceChildren(...wireWords(wire));
  if (!document.body.classList.contains("wires-open")) return;
  $("wires-lines").prepend(wireLine(wire));
}

function wireWords(wire) {
  const ok = wire.status >= 200 && wire.status < 300 || wire.status === 101;
  const code = wire.answered?.errcode;
  return [
    el("span", { class: `way ${wire.direction}` }, wire.direction === "out" ? "产品 → 平台" : "平台 → 产品"),
    el("span", { class: `chip ${wire.platform}` }, PLATFORMS[wire.platform]),
    el("code", {}, wire.call),
    el("span", { class: ok && !code ? "good" : "bad" }, code ? `${wire.status} · ${code}` : wire.status || "未送达"),
  ];
}

function wireLine(wire) {
  return el("button", { onclick: (event) => showWire(wire, event.currentTarget) },
    el("time", {}, clockText(new Date(wire.at))), ...wireWords(wire));
}

function showWire(wire, line) {
  document.querySelectorAll(".lines .chosen").forEach((node) => node.classList.remove("chosen"));
  line.classList.add("chosen");
  const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  $("wires-detail").replaceChildren(
    el("h3", {}, wire.call), el("h4", {}, "请求"), el("pre", {}, pretty(wire.asked) || "（空）"),
    el("h4", {}, "应答"), el("pre", {}, pretty(wire.answered) || "（空）"));
}

function toggleWires() {
  const open = document.body.classList.toggle("wires-open");
  $("wires-handle").setAttribute("aria-expanded", open);
  $("wires-handle").querySelector("i").textContent = open ? "收起" : "展开";
  if (open) $("wires-lines").replaceChildren(...[...world.wires].reverse().map(wireLine));
}

// ---------------------------------------------------------------- what goes wrong

const faultKey = (fault) => `${fault.platform}:${fault.name}`;

function takeFaults(faults) {
  world.faults = new Map(faults.map((fault) => [faultKey(fault), fault]));
  $("faults").replaceChildren(...Object.entries(PLATFORMS).map(([platform, name]) => {
    const mine = faults.filter((fault) => fault.platform === platform);
    const groups = [...new Set(mine.map((fault) => fault.group))];
    return el("section", {}, el("h3", {}, el("span", { class: `chip ${platform}` }, name)),
      groups.map((group) => [el("h4", {}, group), mine.filter((fault) => fault.group === group).map(faultSwitch)]));
  }));
  faults.forEach(showFault);
}

function faultSwitch(fault) {
  return el("button", {
    class: "fault", role: "switch", "data-fault": faultKey(fault),
    onclick: () => act("faults", { platform: fault.platform, fault: fault.name, on: !world.faults.get(faultKey(fault)).on }),
  }, el("i", {}), el("b", {}, fault.label), el("em", {}), el("span", {}, fault.says));
}

function showFault(change) {
  const fault = Object.assign(world.faults.get(faultKey(change)), change);
  const node = document.querySelector(`[data-fault="${faultKey(fault)}"]`);
  node.setAttribute("aria-checked", fault.on);
  node.querySelector("em").textContent = [fault.on && fault.left && `还有 ${fault.left} 次`, fault.met && `已发生 ${fault.met} 次`].filter(Boolean).join(" · ");
  const count = [...world.faults.values()].filter((each) => each.on).length;
  $("mess-count").textContent = count;
  $("mess-count").hidden = !count;
}

function openFaults(open) {
  $("drawer").hidden = !open;
  $("mess").setAttribute("aria-expanded", open);
}

// ---------------------------------------------------------------- the tour

const newestButton = () => {
  const all = [...document.querySelectorAll(".phone:not([data-phone$='-group']) button[data-value]")];
  return all.filter((button) => /^(接受|领取)/.test(button.textContent)).sort((a, b) => idOf(b) - idOf(a))[0];
};
const idOf = (node) => Number(node.closest(".message").dataset.id);
const ownerOf = (node) => world.phones.get(node?.closest(".phone").dataset.phone);
const newestTalker = () => {
  if (world.hand) return world.hand;
  const own = [...world.messages].filter(([chat]) => world.phones.get(chat)?.role === "rep");
  return own.map(([chat, list]) => [chat, list.findLast((m) => m.mine)?.id || list.findLast((m) => m.body.replace_text)?.id || 0]).sort((a, b) => b[1] - a[1])[0]?.[0];
};

const TOUR = [
  { id: "form", title: "客户提交表单", hint: () => "在右边点「填入示例客户」，再提交", at: () => $("customer"), go: () => openTab("form") },
  { id: "accept", title: "销售接受", hint: () => `${ownerOf(newestButton())?.name || "销售"}的手机上点「${newestButton()?.textContent || "接受"}」`, at: () => newestButton() },
  { id: "follow", title: "一句话跟进", hint: () => "在手机底部点「跟进」填好一句话，发送", at: () => phoneNode(newestTalker() || "")?.querySelector(".talk") },
  { id: "return", title: "退回培育", hint: () => "客户还没预算？点「退回」发出去", at: () => phoneNode(newestTalker() || "")?.querySelector(".talk") },
  { id: "mail", title: "收到培育信", hint: () => "把时钟拨快一天，夜里不打扰，早上 9 点后寄出", at: () => $("jump").children[2] },
  { id: "click", title: "客户点了链接", hint: () => "打开右边的邮箱，点信里的链接", at: () => $("customer"), go: () => openTab("mail") },
  { id: "digest", title: "经理看日报", hint: () => "拨到下一个 18:30，看管理群", at: () => $("to-digest") },
];

function showTour() {
  const next = TOUR.find((step) => !world.steps.has(step.id));
  document.querySelectorAll(".pulse").forEach((node) => node.classList.remove("pulse"));
  $("tour").replaceChildren(...TOUR.map((step, index) => el("li", { class: world.steps.has(step.id) ? "done" : step === next ? "next" : "", onclick: () => lead(step) },
    el("i", {}, world.steps.has(step.id) ? "✓" : index + 1), el("b", {}, step.title), step === next && el("span", {}, step.hint()))));
  if (!next) $("tour").append(el("li", { class: "end" }, "一圈走完了，随便玩"));
  next?.at()?.classList.add("pulse");
}

function lead(step) {
  step.go?.();
  const phone = step.at()?.closest(".phone");
  if (phone) goTo(phone.dataset.phone);
  else if (step.id === "digest") goTo("wecom-group");
}

function enlarge(source) {
  $("large").replaceChildren(el("img", { src: source, alt: "放大的图片" }));
  $("large").hidden = false;
}

let tourTimer = 0;
function tourSoon() {
  clearTimeout(tourTimer);
  tourTimer = setTimeout(showTour, 60);
}

// ---------------------------------------------------------------- start

function takeSnapshot(snapshot) {
  Object.assign(world, { zone: snapshot.zone, speed: snapshot.speed, mails: [], wires: snapshot.wires });
  world.phones = new Map(snapshot.phones.map((phone) => [phone.id, phone]));
  world.messages = new Map();
  world.contacts = new Map(snapshot.contacts.map((contact) => [contact.id, contact]));
  world.steps = new Set(snapshot.steps);
  Object.assign(world, { menu: snapshot.menu, codes: snapshot.codes });
  setClock(snapshot.now);
  buildPhones();
  snapshot.messages.sort((a, b) => a.id - b.id).forEach((message) => takeMessage(message, false));
  snapshot.mails.forEach((mail) => takeMail(mail, false));
  world.phones.forEach((_, id) => showChips(id));
  document.querySelectorAll(".phone .chat").forEach((list) => { list.scrollTop = list.scrollHeight; });
  showClock();
  document.querySelectorAll(".status-time").forEach((node) => { node.textContent = $("time").textContent; });
  showMenu();
  showMails();
  showScan();
  showWeChat(false);
  takeFaults(snapshot.faults);
  if (world.wires.length) $("wires-last").replaceChildren(...wireWords(world.wires.at(-1)));
  document.body.classList.add("ready");
  tourSoon();
}

const TAKEN = {
  snapshot: takeSnapshot,
  message: (message) => takeMessage(message, true),
  mail: (mail) => takeMail(mail, true),
  contact: (contact) => { world.contacts.set(contact.id, contact); showWeChat(true); },
  wire: takeWire,
  menu: ({ menu }) => { world.menu = menu; showMenu(); },
  codes: ({ codes }) => { world.codes = codes; showScan(); },
  fault: showFault,
  clock: ({ now }) => setClock(now),
  step: ({ done }) => world.steps.add(done),
};

function listen() {
  const events = new EventSource("events");
  for (const [kind, take] of Object.entries(TAKEN)) {
    events.addEventListener(kind, (event) => { take(JSON.parse(event.data)); if (kind !== "wire" && kind !== "fault") tourSoon(); });
  }
  events.addEventListener("open", () => document.body.classList.remove("lost"));
  events.addEventListener("error", () => document.body.classList.add("lost"));
}

$("jump").addEventListener("click", (event) => { if (event.target.dataset.span) moveClock(event.target); });
$("form-again").addEventListener("click", openForm);
$("form-fill").addEventListener("click", fillForm);
$("form").addEventListener("load", () => { $("form-address").textContent = $("form").contentWindow.location.pathname; });
$("web-back").addEventListener("click", () => openTab("mail"));
$("wires-handle").addEventListener("click", toggleWires);
$("mess").addEventListener("click", () => openFaults($("drawer").hidden));
$("mess-close").addEventListener("click", () => openFaults(false));
$("mend").addEventListener("click", () => act("faults", { on: false }));
document.querySelectorAll("[data-tab]").forEach((tab) => tab.addEventListener("click", () => openTab(tab.dataset.tab)));
document.addEventListener("click", (event) => {
  if (event.target.matches?.(".chat img")) return enlarge(event.target.src);
  const target = event.target.closest?.("a.cmd");
  if (!target) return null;
  event.preventDefault();
  const message = [...world.messages.values()].flat().find((each) => each.id === Number(target.dataset.message));
  if (message) press(target, message, target.dataset.value, target.textContent);
  return null;
});
$("large").addEventListener("click", () => { $("large").hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") { $("large").hidden = true; openFaults(false); } });
// A picture gets its height when it is loaded; the newest message stays in sight.
$("stage").addEventListener("load", (event) => {
  const list = event.target.closest?.(".chat");
  if (list?.lastElementChild.contains(event.target)) list.scrollTo({ top: list.scrollHeight, behavior: "smooth" });
}, true);
setInterval(showClock, 250);
openForm();
listen();

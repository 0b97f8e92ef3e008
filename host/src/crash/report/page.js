"use strict";
// Draws the page from the two JSON elements: the certificate, the counterexample, the list of programs, and on demand
// the timeline of one of them. With `#check` in the address every program is opened in turn and what was drawn is counted.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const certificate = read("certificate");
const data = read("data");
const at = (id) => document.getElementById(id);

// ---- elements ----

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const number = (n) => Number(n).toLocaleString("en-US");
const count = (n, one, more) => `${number(n)} ${n === 1 ? one : more}`;

// ---- certificate ----

function drawVerdict() {
  const broken = certificate.violations > 0;
  const sign = svg("svg", { width: 44, height: 44, viewBox: "-11 -11 22 22", "aria-hidden": "true" },
    dot(broken ? "violated" : "kept", 0, 0, 10));
  const left = data.programs_all - data.programs.length;
  const told = broken
    ? `Found after ${count(certificate.runs, "recovery", "recoveries")}.` +
      (left > 0 ? ` ${count(left, "program", "programs")} behind it in order ${left === 1 ? "was" : "were"} not tried.` : "")
    : `${count(certificate.runs, "recovery", "recoveries")} at ${count(certificate.points, "crash point", "crash points")} ` +
      `of ${count(certificate.programs, "program", "programs")}, within the model below. ` +
      (certificate.class === "exhaustive" ? "Nothing that the model allows was left out." : "Some states were left out, see the bounds.");
  at("verdict").append(el("div", { class: broken ? "banner broken" : "banner" }, sign,
    el("div", {}, el("h1", {}, broken ? "The promise is broken" : "No violation was found"), el("p", {}, told))));
}

function drawCertificate() {
  const large = [["programs", "programs"], ["points", "crash points"], ["power_cuts", "power cuts"], ["kills", "kills"],
    ["second_crashes", "second crashes"], ["outcomes", "outcomes"], ["violations", "violations"]];
  at("numbers").append(...large.map(([name, label]) =>
    el("div", {}, el("b", {}, number(certificate[name])), el("span", {}, label))));
  at("model").append(...data.model.map((line) => el("li", {}, line)));
  at("bounds").append(...data.bounds.map((line) => el("li", {}, line)));
  const rows = data.meanings.map(([name, meaning]) =>
    el("tr", {}, el("td", {}, name), el("td", {}, String(certificate[name])), el("td", { class: "soft" }, meaning)));
  const bounded = certificate.bounded.map((line) =>
    el("tr", {}, el("td", {}, "bounded"), el("td", {}, line), el("td", { class: "soft" }, "a bound, and where it held")));
  at("lines").append(...rows, ...bounded);
  at("summary").hidden = false;
}

// ---- timeline ----

const WIDE = 28;
const TALL = 28;

// A verdict has a colour and a shape: a disc with a tick, a square with a cross, an empty ring.
function dot(verdict, x, y, size = 8) {
  const s = size * 0.45;
  if (verdict === "kept") {
    return svg("g", { class: verdict }, svg("circle", { class: "dot", cx: x, cy: y, r: size }),
      svg("path", { class: "sign", d: `M${x - s} ${y}l${s * 0.8} ${s * 0.8}l${s * 1.3} ${-s * 1.6}` }));
  }
  if (verdict === "violated") {
    return svg("g", { class: verdict },
      svg("rect", { class: "dot", x: x - size, y: y - size, width: size * 2, height: size * 2, rx: 2 }),
      svg("path", { class: "sign", d: `M${x - s} ${y - s}l${2 * s} ${2 * s}m0 ${-2 * s}l${-2 * s} ${2 * s}` }));
  }
  return svg("g", { class: verdict }, svg("circle", { class: "dot", cx: x, cy: y, r: size * 0.6 }));
}

// The kinds of steps: letter, class, what it is. Names that matter for the lane follow the word.
const KINDS = {
  write: ["W", "write", "write"], set_len: ["L", "write", "length set"], allocate: ["A", "write", "space reserved"],
  sync: ["S", "sync", "sync of a file"], sync_dir: ["D", "sync", "sync of the directory"],
  create: ["C", "name", "name created"], create_dir: ["C", "name", "directory created"],
  rename: ["R", "name", "renamed"], remove: ["X", "name", "removed"],
};
const NAMES = "names";
const kindOf = (line) => KINDS[line.split(" ")[0]] || ["?", "name", "other"];
function laneOf(line) {
  const words = line.split(" ");
  return ["write", "set_len", "allocate", "sync"].includes(words[0]) ? words[1] : NAMES;
}

// Marks: issued, acknowledged, durable, with their number; others by their first letter.
function markOf(text) {
  const n = (text.match(/\d+/) || [""])[0];
  if (text.endsWith("issued")) return ["i" + n, ""];
  if (text.endsWith("durable")) return ["d" + n, "durable"];
  if (text.endsWith("acknowledged")) return [(text.startsWith("probe") ? "d" : "a") + n, text.startsWith("probe") ? "durable" : ""];
  return [text.slice(0, 1), ""];
}

const glyph = (letter, kind, x, y) => svg("g", { class: `step ${kind}` },
  svg("rect", { x: x - 10, y: y - 10, width: 20, height: 20, rx: 4 }), svg("text", { x, y }, letter));
const pill = (letter, kind, x, y) => svg("g", { class: `mark ${kind}` },
  svg("rect", { x: x - 12, y: y - 9, width: 24, height: 18, rx: 9 }), svg("text", { x, y }, letter));

// `line`: steps and marks as text; `points`: by number of steps; `barrier` and `crash`: what to point at, or null.
function timeline(line, points, barrier, crash) {
  const files = [];
  for (const step of line.steps) if (!files.includes(laneOf(step))) files.push(laneOf(step));
  if (barrier && !files.includes(laneOf(barrier.sync))) files.push(laneOf(barrier.sync));
  const lanes = files.filter((name) => name !== NAMES).sort();
  if (files.includes(NAMES)) lanes.unshift(NAMES);
  const stacked = {};
  for (const [op] of line.marks) stacked[op] = (stacked[op] || 0) + 1;
  const most = Math.max(0, ...Object.values(stacked));
  const notes = barrier || crash ? 24 : 0;
  const top = notes + (most > 0 ? most * 20 + 12 : 6);
  const bottom = top + lanes.length * TALL;
  const height = bottom + (points ? 36 : 8);
  // A missing sync has a column of its own; the crash that it would have mended comes behind it.
  const edge = (op) => 24 + (barrier && op >= barrier.op ? op + 1 : op) * WIDE;
  const middle = (op) => edge(op) + WIDE / 2;
  const width = edge(line.steps.length) + 24 + (barrier || crash ? 60 : 0);
  const laneAt = (name) => top + lanes.indexOf(name) * TALL + TALL / 2;
  const picture = svg("svg", { width, height, role: "group", "aria-label": "timeline of the disk" });
  for (const name of lanes) {
    const y = laneAt(name);
    picture.append(svg("line", { class: "lane-line", x1: 0, x2: "100%", y1: y, y2: y }));
  }
  const seen = {};
  for (const [op, text] of line.marks) {
    const [letter, kind] = markOf(text);
    const nth = (seen[op] = (seen[op] || 0) + 1) - 1;
    const y = notes + 14 + nth * 20;
    if (nth === 0) picture.append(svg("line", { class: `guide ${kind}`, x1: edge(op), x2: edge(op), y1: y, y2: bottom }));
    const drawn = pill(letter, kind, edge(op), y);
    drawn.append(svg("title", {}, text));
    picture.append(drawn);
  }
  line.steps.forEach((step, op) => {
    const [letter, kind] = kindOf(step);
    const drawn = glyph(letter, kind, middle(op), laneAt(laneOf(step)));
    drawn.append(svg("title", {}, `step ${op + 1}: ${step}`));
    picture.append(drawn);
  });
  if (barrier) {
    const x = 24 + barrier.op * WIDE + WIDE / 2;
    const y = laneAt(laneOf(barrier.sync));
    picture.append(svg("g", { class: "absent-sync", "data-op": barrier.op },
      svg("line", { x1: x, x2: x, y1: 20, y2: bottom }),
      svg("rect", { x: x - 11, y: y - 11, width: 22, height: 22, rx: 4 }),
      svg("text", { x, y }, kindOf(barrier.sync)[0]),
      svg("text", { x: x + 6, y: 10, style: "text-anchor: end" }, "missing sync ▾"),
      svg("title", {}, `missing: ${barrier.sync} after ${barrier.after}`)));
  }
  if (crash) {
    const x = edge(crash.op) + (crash.bytes > 0 ? WIDE / 2 : 0);
    picture.append(svg("g", { class: "crash", "data-op": crash.op },
      svg("line", { x1: x, x2: x, y1: 20, y2: bottom + 8 }),
      svg("text", { x: x - 5, y: 10, style: "text-anchor: start" }, "▾ " + (crash.power ? "power cut" : "killed"))));
  }
  const labels = el("div", { class: "lanes" },
    el("div", { class: "plain", style: `height:${top}px` }, most > 0 ? "marks" : ""),
    lanes.map((name) => el("div", { class: name === NAMES ? "plain" : "", style: `height:${TALL}px` }, name)),
    points ? el("div", { class: "plain", style: "height:36px" }, "crash points") : null);
  const strip = el("div", { class: "strip" }, picture);
  const drawn = el("div", { class: "timeline" }, labels, strip);
  if (!points) {
    if (crash) requestAnimationFrame(() => { strip.scrollLeft = edge(crash.op) - strip.clientWidth / 2; });
    return [drawn];
  }
  const inspector = el("div", { class: "inspector", "aria-live": "polite" });
  drawPoints(line, points, picture, strip, inspector, edge, bottom + 18);
  return [drawn, inspector];
}

const VERDICTS = { kept: "kept", violated: "violated", untried: "not tried" };

// What is known of the crash point behind `op` steps.
function pointOf(line, points, op) {
  const tried = points.get(op);
  if (tried) return { op, verdict: tried[5] ? "violated" : "kept", tried };
  const why = op < line.from
    ? "It lies before the last operation: the shorter programs that this one begins with were crashed here."
    : "It lies behind the first violation.";
  return { op, verdict: "untried", why };
}

function drawPoints(line, points, picture, strip, inspector, edge, y) {
  const drawn = [];
  for (let op = 0; op <= line.steps.length; op += 1) {
    const point = pointOf(line, points, op);
    const x = edge(op);
    const label = `crash point ${op}, ${VERDICTS[point.verdict]}` +
      (point.tried ? `, ${number(point.tried[1])} runs, ${number(point.tried[3])} second crashes, ${number(point.tried[4])} outcomes` : "");
    const node = svg("g", { class: "point " + point.verdict, role: "img", tabindex: -1, "aria-label": label, "data-op": op },
      svg("rect", { class: "target", x: x - WIDE / 2 + 1, y: y - 14, width: WIDE - 2, height: 28, rx: 5 }),
      dot(point.verdict, x, y));
    const show = () => {
      drawn.forEach(([other]) => other.classList.remove("shown"));
      node.classList.add("shown");
      inspector.replaceChildren(...inspect(line, point));
    };
    const choose = (to) => {
      const next = drawn[Math.max(0, Math.min(drawn.length - 1, to))];
      drawn.forEach(([other]) => other.setAttribute("tabindex", -1));
      next[0].setAttribute("tabindex", 0);
      next[0].focus({ preventScroll: true });
      strip.scrollLeft = edge(next[1]) - strip.clientWidth / 2;
    };
    node.addEventListener("mouseenter", show);
    node.addEventListener("focus", show);
    node.addEventListener("click", () => choose(op));
    node.addEventListener("keydown", (event) => {
      const to = { ArrowRight: op + 1, ArrowLeft: op - 1, Home: 0, End: line.steps.length }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
    drawn.push([node, op]);
    picture.append(node);
  }
  const first = drawn.find(([node]) => node.classList.contains("violated")) || drawn.find(([node]) => node.classList.contains("kept")) || drawn[0];
  first[0].setAttribute("tabindex", 0);
  first[0].classList.add("shown");
  inspector.replaceChildren(...inspect(line, pointOf(line, points, first[1])));
  requestAnimationFrame(() => { strip.scrollLeft = edge(first[1]) - strip.clientWidth / 2; });
}

// The words about one point.
function inspect(line, point) {
  const step = (op) => op < 0 ? "the start" : op < line.steps.length ? line.steps[op] : "the end";
  const head = el("p", {}, el("span", { class: "badge " + point.verdict }, VERDICTS[point.verdict]), " ",
    el("b", {}, `Crash point ${point.op}`), " between ", el("code", {}, step(point.op - 1)), " and ", el("code", {}, step(point.op)));
  if (!point.tried) return [head, el("p", { class: "soft" }, point.why)];
  const [, runs, kills, second, outcomes, , shown] = point.tried;
  const parts = [[runs - kills, "power cut", "power cuts"], [kills, "kill", "kills"], [second, "second crash", "second crashes"]];
  const counts = el("div", { class: "counts" }, parts.map(([n, one, more]) => el("span", {}, el("b", {}, number(n)), n === 1 ? ` ${one}` : ` ${more}`)));
  const more = outcomes - shown.length;
  const notes = runs === kills && outcomes > 0
    ? el("p", { class: "soft" }, "The step changed nothing that a power cut can leave; what was seen a step earlier was judged again.")
    : null;
  const list = outcomes === 0
    ? el("p", { class: "soft" }, "No recovery from a power cut here came to an end.")
    : [el("p", {}, `What recovery showed after a power cut here, ${count(outcomes, "outcome", "outcomes")}:`),
      el("ul", {}, shown.map((n) => el("li", {}, data.texts[n])), more > 0 ? el("li", {}, `and ${number(more)} more, not kept`) : null)];
  const wrong = point.verdict === "violated" && line.wrong ? el("p", { class: "wrong" }, line.wrong) : null;
  return [head, counts, wrong, notes, list].flat().filter((node) => node !== null);
}

function legend(verdicts) {
  const small = (...children) => svg("svg", { width: 26, height: 24, viewBox: "0 0 26 24", "aria-hidden": "true" }, ...children);
  const kinds = [["W", "write", "write"], ["L", "write", "length"], ["A", "write", "space reserved"], ["S", "sync", "sync"], ["D", "sync", "directory sync"],
    ["C", "name", "create"], ["R", "name", "rename"], ["X", "name", "remove"]];
  const marks = [["i1", "", "issued"], ["a1", "", "acknowledged"], ["d1", "durable", "acknowledged as durable"], ["s", "", "shown by recovery"]];
  return el("div", { class: "legend" },
    verdicts.map(([verdict, n]) => el("span", {}, small(dot(verdict, 13, 12)), `${VERDICTS[verdict]} ${number(n)}`)),
    kinds.map(([letter, kind, word]) => el("span", {}, small(glyph(letter, kind, 13, 12)), word)),
    marks.map(([letter, kind, word]) => el("span", {}, small(pill(letter, kind, 13, 12)), word)));
}

// ---- one program ----

// Its timeline, with texts in the place of their numbers.
function lineOf(program) {
  const { steps, marks, points, from } = program.timeline;
  const line = { steps: steps.map((n) => data.texts[n]), marks: marks.map(([op, n]) => [op, data.texts[n]]), from };
  return [line, new Map(points.map((point) => [point[0], point]))];
}

function details(nth) {
  const program = data.programs[nth];
  const failed = data.failure && data.failure.program === nth ? data.failure : null;
  const head = el("div", { class: "details-head" }, el("h3", { class: "mono" }, program.program === "-" ? "no operations" : program.program), el("span", { class: "soft" }, program.layout),
    el("span", { class: "badge " + verdictOf(program) }, verdictOf(program)));
  if (!program.timeline) {
    return [head, el("p", {}, `Timelines are kept of the first ${number(data.recordings_max)} programs. This one alone:`),
      el("code", { class: "command" }, `keel crash --layout ${program.layout} --program ${program.program} --report FILE`)];
  }
  const [line, points] = lineOf(program);
  line.wrong = failed && failed.message;
  const verdicts = { kept: 0, violated: 0, untried: 0 };
  for (let op = 0; op <= line.steps.length; op += 1) verdicts[pointOf(line, points, op).verdict] += 1;
  const steps = el("ol", { class: "steps" }, line.steps.map((step, op) => el("li", {}, step,
    line.marks.filter(([before]) => before === op + 1).map(([, text]) => el("span", { class: "soft" }, ` · ${text}`)))));
  return [head,
    el("p", { class: "soft" }, "What the program did to the disk, step by step, and each moment at which it was crashed. Point at a crash point, or go through them with the arrow keys."),
    ...timeline(line, points, failed && barrierOf(failed, false), failed && failed.crashes[0]),
    legend(Object.entries(verdicts)),
    el("details", {}, el("summary", {}, `The ${count(line.steps.length, "step", "steps")} as text`), steps)];
}

// ---- programs ----

const ROWS_MAX = 3000;
const verdictOf = (program) => (program.violations > 0 ? "violated" : "kept");
const COLUMNS = [
  ["operations", (p) => p.program], ["layout", (p) => p.layout], ["verdict", verdictOf], ["points", (p) => p.points],
  ["power cuts", (p) => p.power_cuts], ["kills", (p) => p.kills], ["second", (p) => p.second], ["outcomes", (p) => p.outcomes],
];
let opened = null;
let order = { column: null, down: false };

function open(nth) {
  opened = nth;
  at("details").replaceChildren(...details(nth));
  for (const row of at("rows").children) row.classList.toggle("open", Number(row.dataset.nth) === nth);
}

function drawRows() {
  const [text, layout, verdict] = ["filter-text", "filter-layout", "filter-verdict"].map((id) => at(id).value.trim());
  const wanted = (p) => p.program.includes(text) && (!layout || p.layout === layout) && (!verdict || verdictOf(p) === verdict);
  const found = data.programs.map((program, nth) => [program, nth]).filter(([program]) => wanted(program));
  if (order.column !== null) {
    const value = COLUMNS[order.column][1];
    const compare = (a, b) => (typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
    found.sort(([a], [b]) => compare(value(a), value(b)) * (order.down ? -1 : 1));
  }
  at("rows").replaceChildren(...found.slice(0, ROWS_MAX).map(([program, nth]) =>
    el("tr", { "data-nth": nth, class: nth === opened ? "open" : "" }, COLUMNS.map(([name, value], column) => {
      const cell = value(program);
      if (column === 0) {
        // A long list of operations is broken behind commas only.
        const words = cell.split(",").flatMap((word, n) => (n > 0 ? [",", el("wbr"), word] : [word]));
        return el("td", {}, el("button", { type: "button", onclick: () => open(nth) }, words));
      }
      if (name === "verdict") return el("td", {}, el("span", { class: "badge " + cell }, cell));
      return typeof cell === "number" ? el("td", { class: "number" }, number(cell)) : el("td", {}, cell);
    }))));
  const cut = found.length > ROWS_MAX ? `, the first ${number(ROWS_MAX)} are listed` : "";
  at("filter-count").textContent = `${number(found.length)} of ${count(data.programs.length, "program", "programs")}${cut}`;
}

function drawHeads() {
  at("heads").replaceChildren(...COLUMNS.map(([name], column) => {
    const sorted = order.column === column ? (order.down ? "descending" : "ascending") : "none";
    const arrow = { descending: " ▾", ascending: " ▴", none: "" }[sorted];
    const turn = () => {
      order = { column, down: order.column === column ? !order.down : column > 2 };
      drawHeads();
      drawRows();
      at("heads").children[column].firstChild.focus();
    };
    return el("th", { scope: "col", "aria-sort": sorted }, el("button", { type: "button", onclick: turn }, name + arrow));
  }));
}

function drawPrograms() {
  drawHeads();
  drawRows();
  at("details").parentElement.classList.toggle("single", data.programs.length === 1);
  const list = at("rows").closest(".list");
  at("filter").addEventListener("input", () => { drawRows(); list.scrollTop = 0; });
  at("filter").addEventListener("submit", (event) => event.preventDefault());
  at("programs").hidden = false;
  const most = data.programs.reduce((best, p, nth) => (p.timeline && p.power_cuts > data.programs[best].power_cuts ? nth : best), 0);
  if (data.programs.length > 0) open(data.failure ? data.failure.program : most);
  const row = [...at("rows").children].find((other) => Number(other.dataset.nth) === opened);
  if (row) list.scrollTop = row.offsetTop - 120;
}

// ---- counterexample ----

const CLASSES = {
  synced: "synced, and not written since", there: "not synced, there all the same", older: "lost: what stood there before",
  missing: "lost: the file ends before it", zero: "lost: a zero", garbage: "lost: garbage (0xa5)",
  stale: "lost: a byte of another file", open: "not decided: recovery did not look",
};

// The missing sync, if it belongs into this life: into the program, or into what was done between two crashes.
const barrierOf = (failure, second) => failure.barrier && failure.barrier.second === second ? failure.barrier : null;

const isClass = (n) => "is is-" + data.failure.classes[n];

function drawFailure() {
  const failure = data.failure;
  const program = data.programs[failure.program];
  const twice = failure.crashes.length > 1;
  const crash = failure.crashes[0];
  const where = el("span", {}, crash.power ? "power is cut" : "the process is killed", " between ", el("code", {}, failure.between[0]),
    " and ", el("code", {}, failure.between[1]), ` (crash point ${crash.op})`,
    twice ? `; then recovery runs, and ${failure.crashes[1].power ? "power is cut" : "the process is killed"} after ${count(failure.crashes[1].op, "step", "steps")} of it` : "");
  const barrier = failure.barrier
    ? [failure.barrier.second ? "in recovery " : "", el("code", {}, failure.barrier.sync), " after ", el("code", {}, failure.barrier.after)]
    : ["no single sync would have helped"];
  const [line, points] = lineOf(program);
  const used = new Set(failure.files.flatMap((file) => file.ranges.map(([, , is]) => is)));
  fill(at("failure"), {}, [
    el("h2", { id: "failure-title" }, "The smallest counterexample"),
    el("p", { class: "wrong" }, failure.message),
    el("dl", { class: "facts" },
      el("dt", {}, "Program"), el("dd", {}, el("code", {}, program.program), ` in the ${program.layout} layout`),
      el("dt", {}, "Crash"), el("dd", {}, where),
      el("dt", {}, "Missing sync"), el("dd", { id: "missing-sync" }, barrier),
      el("dt", {}, "Repeat it"), el("dd", {}, el("code", { class: "command" }, failure.command))),
    el("details", { open: "" }, el("summary", {}, "The explanation in words"), el("pre", {}, failure.words.join("\n"))),
    el("h3", {}, twice ? "The first crash" : "Where it crashes"),
    ...timeline(line, null, barrierOf(failure, false), crash),
    twice ? [el("h3", {}, "What recovery did after it, and the second crash"), ...timeline(failure.life, null, barrierOf(failure, true), failure.crashes[1])] : [],
    legend([]),
    el("h3", {}, twice ? "The disk at the second crash, file by file" : "The disk, file by file"),
    nameTable(failure),
    el("div", { class: "legend" }, Object.entries(CLASSES).filter((_, n) => used.has(n)).map(([name, meaning]) =>
      el("span", {}, el("i", { class: `swatch is is-${name}` }, name === "missing" ? "··" : "4b"), meaning))),
    failure.files.map(drawFile)]);
  at("failure").hidden = false;
}

// What became of the name of a file.
function fate(file) {
  if (file.before === null) return "it was removed, and the removal is lost";
  if (file.left === null) return "the name is lost";
  if (file.left !== file.before) return `renamed from ${file.left}, and that is lost`;
  return file.synced === file.left ? "the name was synced" : "the name was not synced, and is there";
}

function nameTable(failure) {
  const heads = ["file", "its name", "without the crash", "left by the crash", "synced"];
  const bytes = (n) => (n === null ? "none" : count(n, "byte", "bytes"));
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, failure.files.map((file) => el("tr", {}, el("td", { class: "mono" }, file.name),
      el("td", {}, fate(file)), el("td", {}, bytes(file.len_before)), el("td", {}, bytes(file.len_left)),
      el("td", {}, bytes(file.synced_bytes))))));
}

function drawFile(file) {
  const names = data.failure.classes;
  const harmless = file.ranges.every(([, , is]) => ["synced", "there"].includes(names[is])) && file.before === file.left;
  const length = file.ranges.length ? file.ranges[file.ranges.length - 1][1] : 0;
  const bar = el("div", { class: "bar", "aria-hidden": "true" }, file.ranges.map(([from, to, is]) =>
    el("span", { class: isClass(is), style: `flex:${to - from} 1 0`, title: `bytes ${from}..${to}: ${names[is]}` },
      (to - from) / length > 0.08 ? names[is] : "")));
  const ranges = el("div", { class: "ranges" }, file.ranges.map(([from, to, is]) =>
    el("span", {}, `${from}..${to} `, el("span", { class: isClass(is) }, names[is]))));
  const kinds = [...new Set(file.ranges.map(([, , is]) => names[is]))].join(", ");
  const summary = harmless ? "nothing lost" : file.before === file.left ? kinds : `${fate(file)}; bytes ${kinds}`;
  return el("details", { class: "file", open: harmless ? null : "" },
    el("summary", {}, el("b", {}, file.name), el("span", { class: "soft" }, length ? `${count(length, "byte", "bytes")}: ${summary}` : "empty")),
    el("div", {}, length ? [bar, ranges] : "", el("div", { class: "images" },
      el("div", {}, el("h4", {}, "Without the crash"), hex(file, "before", file.before, file.len_before)),
      el("div", {}, el("h4", {}, "Left by the crash"), hex(file, "left", file.left, file.len_left)))));
}

// Sixteen bytes a line, as numbers and as text, each with the look of what became of it.
function hex(file, side, name, length) {
  const box = el("div", { class: "hex", tabindex: 0, role: "group", "aria-label": `bytes of ${file.name}, ${side === "left" ? "left by the crash" : "without the crash"}` });
  if (name === null) {
    box.append("no file of this name");
    return box;
  }
  if (length === 0) box.append("empty");
  let end = 0;
  for (const window of file.windows) {
    if (window.at > end) box.append(el("i", {}, `… ${count(window.at - end, "byte", "bytes")} not shown\n`));
    const other = side === "left" ? window.before : window.left;
    const size = Math.max(window[side].length, other.length) / 2;
    for (let row = 0; row < size; row += 16) box.append(...hexRow(file, window, side, row, Math.min(16, size - row)), "\n");
    end = window.at + size;
  }
  const all = Math.max(file.len_before || 0, file.len_left || 0);
  if (all > end) box.append(el("i", {}, `… ${count(all - end, "byte", "bytes")} not shown`));
  return box;
}

function hexRow(file, window, side, row, size) {
  const bytes = [];
  for (let n = 0; n < size; n += 1) {
    const offset = window.at + row + n;
    const digits = window[side].slice((row + n) * 2, (row + n) * 2 + 2);
    const range = file.ranges.find(([from, to]) => from <= offset && offset < to);
    const code = parseInt(digits, 16);
    const sign = digits === "" ? "·" : code > 32 && code < 127 ? String.fromCharCode(code) : code === 32 ? " " : ".";
    bytes.push({ digits: digits || "··", sign, is: range ? range[2] : 0, gap: n === 8 ? "  " : n > 0 ? " " : "" });
  }
  // One element for bytes of one kind that follow each other.
  const runs = (text) => {
    const parts = [];
    for (const byte of bytes) {
      const last = parts[parts.length - 1];
      if (last && last.is === byte.is) last.text += text(byte, true);
      else parts.push({ is: byte.is, before: text(byte, false).before || "", text: text(byte, false).own });
    }
    return parts.map((part) => [part.before, el("span", { class: isClass(part.is) }, part.text)]).flat();
  };
  const digits = runs((byte, joined) => (joined ? byte.gap + byte.digits : { before: byte.gap, own: byte.digits }));
  const signs = runs((byte, joined) => (joined ? byte.sign : { own: byte.sign }));
  const pad = " ".repeat((16 - size) * 3 + (size <= 8 ? 1 : 0));
  return [el("i", {}, (window.at + row).toString(16).padStart(6, "0") + "  "), ...digits, pad + "  ", ...signs];
}

// ---- all of it ----

// Counts what stands in the page, not what it was drawn from.
function check() {
  const drawn = { rows: at("rows").children.length, kept: 0, violated: 0, untried: 0, power_cuts: 0, kills: 0, second_crashes: 0 };
  const cell = (row, column) => Number(row.children[column].textContent.replaceAll(",", ""));
  for (const row of [...at("rows").children]) {
    row.querySelector("button").click();
    for (const verdict of ["kept", "violated", "untried"]) {
      drawn[verdict] += at("details").querySelectorAll(`.point.${verdict}`).length;
    }
    drawn.power_cuts += cell(row, 4);
    drawn.kills += cell(row, 5);
    drawn.second_crashes += cell(row, 6);
  }
  const images = at("failure").querySelectorAll(".hex");
  drawn.images = images.length;
  drawn.absent_syncs = at("failure").querySelectorAll(".absent-sync").length;
  drawn.crashes = at("failure").querySelectorAll(".crash").length;
  drawn.faults = window.faults.length;
  at("drawn").textContent = JSON.stringify(drawn);
}

drawVerdict();
if (data.failure) drawFailure();
drawCertificate();
drawPrograms();
if (location.hash === "#check") check();

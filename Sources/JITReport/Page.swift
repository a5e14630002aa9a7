// Page.swift: the page of a report. The data stand where /*DATA*/ is; everything else is here.

let page = #"""
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>JIT report</title>
<style>
* { box-sizing: border-box }
body { margin: 0; font: 13px/1.4 system-ui, sans-serif; color: #1b1f24; background: #fff; height: 100vh; display: flex }
#side { width: 430px; min-width: 240px; border-right: 1px solid #cfd6de; display: flex; flex-direction: column; resize: horizontal; overflow: hidden }
#top { padding: 8px; border-bottom: 1px solid #cfd6de; background: #f5f7f9 }
#filter { width: 100%; padding: 5px 8px; font: inherit; border: 1px solid #b3bcc6; border-radius: 4px }
#summary { margin-top: 6px; color: #4c5763; font-size: 12px }
#list { overflow: auto; flex: 1 }
#list table { border-collapse: collapse; width: 100%; font-size: 12px }
#list th { position: sticky; top: 0; background: #eef1f4; text-align: right; cursor: pointer; padding: 3px 6px; font-weight: 600; white-space: nowrap }
#list th:first-child, #list td:first-child { text-align: left }
#list td { padding: 2px 6px; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
#list td:first-child { max-width: 190px; overflow: hidden; text-overflow: ellipsis; font-family: ui-monospace, monospace }
#list tr.unit { cursor: pointer }
#list tr.unit:hover { background: #f0f5fb }
#list tr.chosen, #list tr.chosen:hover { background: #d8e7f8 }
.tier { display: inline-block; width: 14px; text-align: center; border-radius: 3px; margin-right: 4px; color: #fff; font: bold 10px/14px sans-serif }
.native { background: #23774a } .plain { background: #8a6d1a } .interpreted { background: #7b8794 } .refused { background: #b3341f }
.hot { color: #b3341f; font-weight: 600 }
#main { flex: 1; display: flex; flex-direction: column; min-width: 0 }
#head { padding: 8px 12px; border-bottom: 1px solid #cfd6de; background: #f5f7f9 }
#head h1 { font: 600 15px ui-monospace, monospace; margin: 0 0 4px }
#head .facts { color: #4c5763 }
#head .facts b { color: #1b1f24; font-weight: 600 }
#switches { float: right } #switches label { margin-left: 10px; cursor: pointer }
#panes { flex: 1; display: flex; min-height: 0 }
.pane { flex: 1 1 0; min-width: 0; display: flex; flex-direction: column; border-right: 1px solid #cfd6de }
.pane.hidden { display: none }
.pane h2 { margin: 0; padding: 3px 8px; font-size: 12px; font-weight: 600; background: #eef1f4; border-bottom: 1px solid #cfd6de }
.pane h2 span { font-weight: 400; color: #4c5763 }
.code { overflow: auto; flex: 1; font: 12px/17px ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre; padding-bottom: 40vh }
.code div { padding: 0 8px; min-height: 17px; min-width: max-content }
.code div[data-l] { cursor: pointer }
.code .k { color: #0b4f9e } .code .n { display: inline-block; width: 4ch; margin-right: 1ch; text-align: right; color: #8b96a3; user-select: none }
.code .c { color: #6a7682 } .code .o { color: #0b4f9e; font-weight: 600 } .code .t { color: #5a2d91; font-weight: 600 }
.code .k { color: #0b4f9e }
.code div.exit { background: #fdeeea; box-shadow: inset 3px 0 #cf4a2f }
.code div.taken { background: #fbdcd3 }
.code div.on { background: #fff3b8 } .code div.exit.on { background: #ffe39a }
.code div.held { background: #ffe680; box-shadow: inset 3px 0 #b58900 }
.bar { position: relative } .bar i { position: absolute; left: 0; top: 2px; bottom: 2px; background: #dbe7f5; z-index: -1 }
#keys { color: #6a7682; font-size: 11px; padding: 4px 8px; border-top: 1px solid #cfd6de }
#exits { max-height: 18vh; overflow: auto; border-top: 1px solid #cfd6de; background: #fffaf8; font-size: 12px; padding: 4px 12px }
#exits div { cursor: pointer } #exits div:hover { text-decoration: underline } #exits:empty { display: none }
</style></head><body>
<div id="side"><div id="top"><input id="filter" placeholder="filter: name, or tier:native, tier:interpreted, exits" autocomplete="off"><div id="summary"></div></div>
<div id="list"></div><div id="keys">/ filter &nbsp; j k next, previous &nbsp; 1-5 panes &nbsp; click a line to hold it &nbsp; Esc let go</div></div>
<div id="main"><div id="head"></div><div id="panes"></div><div id="exits"></div></div>
<script>
"use strict";
const D = /*DATA*/;
const $ = id => document.getElementById(id);
const escape = s => s.replace(/&/g, "&amp;").replace(/</g, "&lt;");
const number = n => n >= 1e7 ? (n / 1e6).toFixed(0) + " M" : n >= 1e5 ? (n / 1e3).toFixed(0) + " k" : "" + n;
const kinds = ["source", "beam", "before", "after", "asm"];
const titles = { source: "Erlang", beam: "instructions", before: "IR as built", after: "IR optimised", asm: "assembly" };
let shown = { source: true, beam: true, before: false, after: true, asm: true };
try { Object.assign(shown, JSON.parse(localStorage.getItem("jit-panes") || "{}")) } catch (e) {}

// Rows of the list: one for each function.
const rows = [];
for (const unit of D.units) {
  unit.functions.forEach(([name, line, instructions, bytes, calls, samples], index) => {
    const exits = unit.exits.reduce((n, e) => n + (owner(unit, e[0]) == index ? e[2] : 0), 0);
    rows.push({ name, unit, index, line, bytes, calls, samples, exits, tier: unit.speculates ? "native" : "plain" });
  });
}
for (const [name, calls] of D.interpreted) rows.push({ name, calls, samples: D.samples[name] || 0, bytes: 0, exits: 0, tier: "interpreted" });
for (const [name, reason] of D.refused) rows.push({ name, reason, calls: 0, samples: 0, bytes: 0, exits: 0, tier: "refused" });
for (const name in D.samples) if (!D.interpreted.some(r => r[0] == name)) rows.push({ name, calls: 0, samples: D.samples[name], bytes: 0, exits: 0, tier: "interpreted" });
const allSamples = rows.reduce((n, r) => n + r.samples, 0);
const hasTime = allSamples > 0;
const letter = { native: "N", plain: "n", interpreted: "i", refused: "x" };
const meaning = { native: "native, with bets", plain: "native, without bets", interpreted: "interpreted", refused: "refused" };
const columns = [["name", "function"]].concat(hasTime ? [["samples", "time"]] : [], [["calls", "calls"], ["exits", "exits"], ["bytes", "bytes"]]);
let order = hasTime ? "samples" : "calls", chosen = null, visible = [];

/// Index of the function whose instructions hold a line of the listing.
function owner(unit, line) {
  let found = 0;
  unit.starts = unit.starts || startsOf(unit);
  unit.starts.forEach((start, index) => { if (start <= line) found = index });
  return found;
}
function startsOf(unit) {
  const starts = [], lines = unit.beam.split("\n");
  lines.forEach((text, index) => { if (index == 0 || lines[index - 1] == "") if (text) starts.push(index + 1) });
  return starts;
}

function drawList() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(w => w);
  visible = rows.filter(r => words.every(w =>
    w.startsWith("tier:") ? meaning[r.tier].startsWith(w.slice(5)) || r.tier.startsWith(w.slice(5)) : w == "exits" ? r.exits > 0 : r.name.toLowerCase().includes(w)));
  visible.sort((a, b) => order == "name" ? (a.name < b.name ? -1 : 1) : b[order] - a[order] || b.calls - a.calls || (a.name < b.name ? -1 : 1));
  const limit = visible.slice(0, 1500);
  $("list").innerHTML = "<table><tr>" + columns.map(([key, title]) => `<th data-k="${key}">${title}${key == order ? " ▾" : ""}</th>`).join("") + "</tr>" +
    limit.map((r, i) => `<tr class="unit${r == chosen ? " chosen" : ""}" data-i="${i}" title="${escape(r.name)}: ${meaning[r.tier]}"><td><span class="tier ${r.tier}">${letter[r.tier]}</span>${escape(r.name)}</td>` +
      columns.slice(1).map(([key]) => key == "samples"
        ? `<td class="bar"><i style="width:${Math.round(100 * r.samples / (visible[0].samples || 1))}%"></i>${r.samples ? (100 * r.samples / allSamples).toFixed(1) + " %" : ""}</td>`
        : `<td class="${key == "exits" && r.exits > 100 ? "hot" : ""}">${r[key] ? number(r[key]) : ""}</td>`).join("") + "</tr>").join("") + "</table>";
  const native = rows.filter(r => r.unit);
  const share = hasTime ? `, ${(100 * native.reduce((n, r) => n + r.samples, 0) / allSamples).toFixed(0)} % of the time in native code` : "";
  $("summary").textContent = `${native.length} native functions in ${D.units.length} of ${D.total} units${share}; ${D.refused.length} refused; ${visible.length} listed`;
}

// The panes.
function markup(kind, text) {
  let s = escape(text);
  if (kind == "beam") {
    const at = s.indexOf("; ");
    let comment = "";
    if (at >= 0) { comment = `<span class="c">${s.slice(at)}</span>`; s = s.slice(0, at) }
    return s.replace(/^([*: ] w\d+ +)(\w+)/, (m, a, b) => `<span class="c">${a}</span><span class="o">${b}</span>`).replace(/(-&gt;|->)w\d+/g, m => `<span class="t">${m}</span>`) + comment;
  }
  if (kind == "source") return s.replace(/(%.*)$/, '<span class="c">$1</span>');
  const named = (text.match(/\bk\d+\b/g) || []).map(k => k + " = " + (chosen.unit.constants[+k.slice(1)] || "?"));
  const note = named.length && (kind == "asm" || /@k\d/.test(text)) ? `  <span class="c">${kind == "asm" ? "#" : ";"} ${escape([...new Set(named)].join(", "))}</span>` : "";
  if (/^[^\s;#].*:\s*(;|#|$)/.test(text) || /^define /.test(text)) return `<span class="t">${s}</span>`;
  if (kind == "asm") return s.replace(/\s(#.*)$/, ' <span class="c">$1</span>').replace(/^(\s+)([a-z][\w.]*)/, '$1<span class="k">$2</span>') + note;
  return s.replace(/(;.*)$/, '<span class="c">$1</span>').replace(/^(\s+(?:%[\w.]+ = )?)((?:musttail |tail )?[a-z]+)/, '$1<span class="k">$2</span>') + note;
}

/// Lines of a pane: [text, key] where the key names the instruction (or the line of the source).
function linesOf(unit, row, kind) {
  if (kind == "source") return sourceOf(unit);
  if (kind == "beam") return unit.beam.split("\n").map((text, i) => [text, i + 1]);
  const [text, keys] = unit[kind];
  return text.split("\n").map((line, i) => [line, keys[i]]);
}

let sourceLine = {};  // listing line -> line of the source pane
function sourceOf(unit) {
  const used = {};
  for (const [listing, file, line] of unit.lines) {
    const u = used[file] = used[file] || { min: line, max: line };
    u.min = Math.min(u.min, line); u.max = Math.max(u.max, line);
  }
  const result = [];
  sourceLine = {};
  const place = {};
  for (const file in used) {
    const text = (D.sources[file] || "").split("\n");
    if (text.length < 2) { result.push([`% ${file} was not found`, 0]); continue }
    result.push([`% ${file}`, 0]);
    const from = Math.max(1, used[file].min - 6), to = Math.min(text.length, used[file].max + 6);
    for (let n = from; n <= to; n++) { place[file + ":" + n] = result.length; result.push([text[n - 1], 0, n]) }
  }
  let current = null, next = 0;
  const total = unit.beam.split("\n").length, starts = new Set(unit.starts || startsOf(unit));
  for (let l = 1; l <= total; l++) {
    if (starts.has(l)) current = null;
    while (next < unit.lines.length && unit.lines[next][0] <= l) { current = place[unit.lines[next][1] + ":" + unit.lines[next][2]]; next++ }
    if (current != null) sourceLine[l] = current;
  }
  return result;
}

let elements = {}, held = null;  // listing line -> elements of all panes
function drawPanes() {
  elements = {};
  const panes = $("panes");
  panes.innerHTML = "";
  $("exits").innerHTML = "";
  if (!chosen || !chosen.unit) return;
  const unit = chosen.unit, exitAt = {};
  for (const [line, reason, count] of unit.exits) { const e = exitAt[line] = exitAt[line] || { count: 0 }; e.count += count }
  for (const kind of kinds) {
    const pane = document.createElement("div");
    pane.className = "pane" + (shown[kind] ? "" : " hidden");
    const lines = shown[kind] || kind == "source" ? linesOf(unit, chosen, kind) : [];
    pane.innerHTML = `<h2>${titles[kind]} <span>${lines.length} lines</span></h2><div class="code" data-kind="${kind}">` + lines.map(([text, key, n], i) => {
      const exit = key && (kind == "beam" || kind == "asm") && exitAt[key];
      const label = kind == "source" ? `<span class="n">${n || ""}</span>` : "";
      const count = exit && kind == "beam" && exit.count ? `  <b class="hot">taken ${number(exit.count)}</b>` : "";
      return `<div${key ? ` data-l="${key}"` : ""}${kind == "source" ? ` data-s="${i}"` : ""}${exit ? ` class="exit${exit.count ? " taken" : ""}"` : ""}>${label}${markup(kind, text)}${count}</div>`;
    }).join("") + "</div>";
    panes.append(pane);
    for (const e of pane.querySelectorAll("[data-l]")) (elements[e.dataset.l] = elements[e.dataset.l] || []).push(e);
    if (kind == "source") {
      const list = pane.querySelectorAll("[data-s]");
      for (const l in sourceLine) {
        const e = list[sourceLine[l]];
        (elements[l] = elements[l] || []).push(e);
        e.dataset.all = (e.dataset.all ? e.dataset.all + "," : "") + l;
      }
    }
  }
  $("exits").innerHTML = unit.exits.map(([line, reason, count], i) => ({ line, reason, count, i })).filter(e => e.count).sort((a, b) => b.count - a.count)
    .map(e => `<div data-x="${e.line}">exit ${e.i} taken <b>${number(e.count)}</b> times: ${escape(e.reason)} <span class="c">${escape((unit.beam.split("\n")[e.line - 1] || "").split(";")[0].trim())}</span></div>`).join("");
  show(chosen.line, true);
}

const keysOf = e => e ? (e.dataset.all || e.dataset.l || "").split(",").filter(k => k) : [];
function mark(keys, name) {
  for (const e of document.querySelectorAll(".code ." + name)) e.classList.remove(name);
  for (const key of keys) for (const e of elements[key] || []) e.classList.add(name);
}
/// Brings the first line of every pane that belongs to a listing line into view.
function show(key, fromTop, except) {
  const done = new Set(except ? [except] : []);
  for (const e of elements[key] || []) {
    const code = e.closest(".code");
    if (done.has(code) || code.parentNode.classList.contains("hidden")) continue;
    done.add(code);
    const to = e.offsetTop - code.offsetTop;
    if (fromTop) code.scrollTop = Math.max(0, to - 24);
    else if (to < code.scrollTop || to > code.scrollTop + code.clientHeight - 34) code.scrollTop = Math.max(0, to - code.clientHeight / 3);
  }
}

function drawHead() {
  const r = chosen;
  if (!r) { $("head").innerHTML = "<h1>no function</h1>"; return }
  let facts = [["tier", meaning[r.tier]], ["calls", number(r.calls)]];
  if (hasTime) facts.push(["time", (100 * r.samples / allSamples).toFixed(1) + " %"]);
  if (r.unit) facts = facts.concat([["unit", r.unit.number + (r.unit.functions.length > 1 ? ` (${r.unit.functions.length} functions)` : "")],
    ["compiled in", (r.unit.us / 1000).toFixed(1) + " ms"], ["code", number(r.bytes) + " of " + number(r.unit.bytes) + " bytes"], ["exits", `${number(r.exits)} taken, ${r.unit.exits.length} places`]]);
  if (r.reason) facts.push(["reason", r.reason]);
  $("head").innerHTML = `<div id="switches">${kinds.map((k, i) => `<label><input type="checkbox" data-p="${k}" ${shown[k] ? "checked" : ""}>${i + 1} ${titles[k]}</label>`).join("")}</div>` +
    `<h1>${escape(r.name)}</h1><div class="facts">${facts.map(([k, v]) => `${k} <b>${escape("" + v)}</b>`).join(" &nbsp; ")}</div>`;
}

function choose(row) {
  chosen = row; held = null;
  drawList(); drawHead(); drawPanes();
  if (row) location.hash = encodeURIComponent(row.name);
}
function step(by) {
  const at = visible.indexOf(chosen), next = visible[Math.min(visible.length - 1, Math.max(0, at + by))];
  if (next && next != chosen) { choose(next); const e = document.querySelector("#list .chosen"); if (e) e.scrollIntoView({ block: "nearest" }) }
}
function toggle(kind) {
  shown[kind] = !shown[kind];
  try { localStorage.setItem("jit-panes", JSON.stringify(shown)) } catch (e) {}
  drawHead(); drawPanes();
}

$("filter").oninput = drawList;
$("list").onclick = e => {
  const head = e.target.closest("th"), row = e.target.closest("tr.unit");
  if (head) { order = head.dataset.k; drawList() } else if (row) choose(visible[row.dataset.i]);
};
$("head").onclick = e => { if (e.target.dataset.p) toggle(e.target.dataset.p) };
$("exits").onclick = e => { const x = e.target.closest("[data-x]"); if (x) { held = [x.dataset.x]; mark(held, "held"); show(x.dataset.x, false) } };
$("panes").onmouseover = e => { if (!held) mark(keysOf(e.target.closest(".code div")), "on") };
$("panes").onclick = e => {
  const line = e.target.closest(".code div"), keys = keysOf(line);
  held = keys.length ? keys : null;
  mark([], "on"); mark(keys, "held");
  if (keys.length) show(keys[0], false, line.closest(".code"));
};
document.onkeydown = e => {
  if (e.target.id == "filter") { if (e.key == "Escape" || e.key == "Enter") e.target.blur(); if (e.key == "Enter" && visible[0]) choose(visible[0]); return }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key == "/") { $("filter").focus(); $("filter").select(); e.preventDefault() }
  else if (e.key == "j" || e.key == "ArrowDown") { step(1); e.preventDefault() }
  else if (e.key == "k" || e.key == "ArrowUp") { step(-1); e.preventDefault() }
  else if (e.key >= "1" && e.key <= "5") toggle(kinds[e.key - 1]);
  else if (e.key == "Escape") { held = null; mark([], "held"); mark([], "on") }
};
drawList();
const wanted = decodeURIComponent(location.hash.slice(1));
choose(rows.find(r => r.name == wanted && r.unit) || visible.find(r => r.unit) || visible[0] || null);
</script></body></html>
"""#

// Pads, knobs, sequencer and walk. The sounds come from worker.js, one message each.
"use strict";

const $ = (id) => document.getElementById(id);
const KEYS = "1234567890", STEPS = 16, WAY = 8, QUIET = "·";
const AHEAD = 0.05; // seconds by which a step is handed over before its time
const worker = new Worker("worker.js");
const waiting = new Map();
let sounds = new Map(), model, context, rate, pads = [], chosen = 0, last = null, sent = 0;
let voice, goal, steps = Array(STEPS).fill(null), beat = -1, beatAt = 0, timer = 0, strolling = 0;

// ---- latents

const uniform = () => Array.from({ length: model.inputs[0].shape[0] }, () => 2 * Math.random() - 1);

function cumulative(g) {
  // Of the normal distribution, to 1e-7 (Abramowitz and Stegun 7.1.26).
  const t = 1 / (1 + 0.3275911 * Math.abs(g / Math.SQRT2));
  const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
    0.254829592) * t * Math.exp((-g * g) / 2);
  return g < 0 ? tail / 2 : 1 - tail / 2;
}

function toNormal(z) {
  let low = -6, high = 6;
  for (let n = 0; n < 40; n++) {
    const middle = (low + high) / 2;
    if (2 * cumulative(middle) - 1 < z) low = middle;
    else high = middle;
  }
  return low;
}

function between(start, end, share) {
  // On the sphere of the normal distribution, so that every point is as likely as a random latent.
  const a = start.map(toNormal), b = end.map(toNormal);
  const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  const angle = Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
  const [p, q] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
  return a.map((v, i) => 2 * cumulative((p * v + q * b[i]) / Math.sin(angle)) - 1);
}

function latentOf(pad) {
  const [start, end] = [voice, goal].map((each) => (model.labels.length ? each[0] : each[pad]));
  const share = $("walk").value / WAY, z = share ? between(start, end, share) : start;
  const turns = [...document.querySelectorAll("#knobs input")].map((knob) => Number(knob.value));
  const moved = (v, i) => v + turns.reduce((sum, by, n) => sum + by * model.directions[n][i], 0) / Math.sqrt(3);
  return z.map((v, i) => Math.min(1, Math.max(-1, moved(v, i))));
}

// ---- sounds

function request(z, label) {
  const id = ++sent;
  return new Promise((done) => {
    waiting.set(id, done);
    worker.postMessage({ id, z, label });
  });
}

function soundOf(pad) {
  // Made once: from then on every press is played at once.
  if (!sounds.has(pad)) {
    const z = latentOf(pad), label = model.labels.length ? pads[pad].number : 0;
    sounds.set(pad, request(z, label).then((made) => ({ ...made, z, pad })));
  }
  return sounds.get(pad);
}

async function prepare() {
  // The pads that nobody has pressed yet, until something changes.
  const mine = sounds;
  for (let pad = 0; pad < pads.length && mine === sounds; pad++) await soundOf(pad);
}

function listen() {
  // A browser lets a page be heard only after a key or a click.
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}

async function play(pad, when = 0) {
  listen();
  const sound = await soundOf(pad);
  if (sound.failed) return say(sound.failed);
  const buffer = context.createBuffer(1, sound.wave.length, rate);
  buffer.copyToChannel(sound.wave, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start(when);
  last = { ...sound, image: imageOf(sound.picture), from: Math.max(when, context.currentTime) };
  flash(pads[pad].button);
  requestAnimationFrame(draw);
}

function flash(button) {
  button.classList.add("playing");
  setTimeout(() => button.classList.remove("playing"), 150);
}

const say = (text) => ($("status").textContent = text);

// ---- the picture

const BINS = 257; // of the worker's picture
const SHADES = Uint32Array.from({ length: 256 }, (_, i) => { // as bytes: red, green, blue, opaque
  const v = i / 255, mix = [20 + 235 * v ** 1.2, 24 + 200 * v ** 2, 30 + 120 * Math.sin(2.8 * v)];
  return mix.reduce((sum, part, n) => sum + (Math.round(part) << (8 * n)), 0xff000000);
});

function imageOf(picture) {
  const image = document.createElement("canvas"), frames = picture.length / BINS;
  Object.assign(image, { width: frames, height: BINS });
  const pixels = new ImageData(frames, BINS), colours = new Uint32Array(pixels.data.buffer);
  picture.forEach((level, i) => {
    colours[(BINS - 1 - (i % BINS)) * frames + Math.floor(i / BINS)] = SHADES[level];
  });
  image.getContext("2d").putImageData(pixels, 0, 0);
  return image;
}

function draw() {
  // The spectrogram appears as it is played.
  const sound = last, { width, height } = $("picture"), pen = $("picture").getContext("2d");
  const played = (context.currentTime - sound.from) / (sound.wave.length / rate);
  const share = Math.min(1, Math.max(0.001, played)), { image } = sound;
  pen.clearRect(0, 0, width, height);
  pen.drawImage(image, 0, 0, share * image.width, BINS, 0, 0, share * width, height);
  pen.fillStyle = "#fff";
  if (share < 1) pen.fillRect(share * width, 0, 2, height);
  if (share < 1 && sound === last) requestAnimationFrame(draw);
}

// ---- sequencer and walk

function toggleStep(n) {
  steps[n] = steps[n] === chosen ? null : chosen;
  showSteps();
}

function showSteps() {
  [...$("steps").children].forEach((button, n) => {
    const pad = steps[n];
    button.textContent = pad === null ? QUIET : KEYS[pad];
    button.setAttribute("aria-pressed", pad !== null);
    button.setAttribute("aria-label", `Step ${n + 1}: ${pad === null ? "empty" : pads[pad].name}`);
    button.classList.toggle("now", n === beat);
  });
}

function tick() {
  beat = (beat + 1) % STEPS;
  if (steps[beat] !== null) play(steps[beat], beatAt);
  showSteps();
  beatAt += 30 / $("tempo").value; // half a beat; the clock of the sound is steadier than a timer
  timer = setTimeout(tick, 1000 * (beatAt - context.currentTime - AHEAD));
}

function toggleRun() {
  clearTimeout(timer);
  const start = !timer;
  timer = 0;
  beat = -1;
  $("run").textContent = start ? "Stop" : "Start";
  $("run").setAttribute("aria-pressed", start);
  if (!start) return showSteps();
  listen();
  beatAt = context.currentTime + AHEAD;
  tick();
}

async function stroll() {
  const walk = ++strolling;
  for (let n = 0; n <= WAY && walk === strolling; n++) {
    $("walk").value = n;
    sounds = new Map();
    await play(chosen);
    await new Promise((done) => setTimeout(done, Math.min(900, (1000 * last.wave.length) / rate)));
  }
  prepare();
}

function newGoal() {
  goal = pads.map(uniform);
}

// ---- the file

function wavFile(wave) {
  const view = new DataView(new ArrayBuffer(44 + 2 * wave.length)), { byteLength } = view;
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, byteLength - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint32(20, 0x10001, true); // PCM, one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint32(32, 0x100002, true); // 16 bits
  text(36, "data");
  view.setUint32(40, byteLength - 44, true);
  wave.forEach((v, i) => view.setInt16(44 + 2 * i, Math.round(32767 * v), true));
  return new Blob([view], { type: "audio/wav" });
}

async function save() {
  const sound = await soundOf(chosen), link = document.createElement("a");
  link.href = URL.createObjectURL(wavFile(sound.wave));
  link.download = `${pads[chosen].name}.wav`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---- the page

function button(parent, html, press) {
  const made = document.createElement("button");
  made.innerHTML = html;
  made.addEventListener("click", press);
  parent.append(made);
  return made;
}

function choose(pad) {
  chosen = pad;
  pads.forEach(({ button }, n) => button.setAttribute("aria-pressed", n === pad));
  play(pad);
}

function knob(n) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, { type: "range", min: -3, max: 3, step: 0.1, value: 0 });
  label.append(`Direction ${n + 1}`, input);
  input.addEventListener("change", changed);
  $("knobs").append(label);
}

function changed() {
  sounds = new Map();
  play(chosen).then(prepare);
}

function build() {
  const numbers = model.labels.map((_, i) => i).filter((i) => model.trained_labels.includes(model.labels[i]));
  if (model.labels[numbers[0]] === "zero") numbers.push(numbers.shift()); // key 1 says one
  const names = model.labels.length ? numbers.map((i) => model.labels[i]) : [...KEYS].map((_, i) => `sound ${i + 1}`);
  pads = names.slice(0, KEYS.length).map((name, n) => {
    const made = button($("pads"), `<kbd aria-hidden="true">${KEYS[n]}</kbd>`, () => choose(n));
    made.append(name);
    made.setAttribute("aria-keyshortcuts", KEYS[n]);
    return { name, number: numbers[n], button: made };
  });
  voice = pads.map(uniform);
  newGoal();
  model.directions.forEach((_, n) => knob(n));
  for (let n = 0; n < STEPS; n++) button($("steps"), QUIET, () => toggleStep(n));
  pads.forEach(({ button }, n) => button.setAttribute("aria-pressed", n === 0));
  showSteps();
}

const PRESSED = {
  renew: () => ((voice = pads.map(uniform)), changed()),
  save,
  centre: () => (document.querySelectorAll("#knobs input").forEach((input) => (input.value = 0)), changed()),
  run: toggleRun,
  clear: () => (steps.fill(null), showSteps()),
  stroll,
  elsewhere: () => (newGoal(), changed()),
};

function ready(found) {
  model = found;
  rate = model.decoder.rate;
  document.title = `Play ${model.row}`;
  $("name").textContent = model.row;
  build();
  Object.entries(PRESSED).forEach(([id, press]) => $(id).addEventListener("click", press));
  $("walk").addEventListener("change", changed);
  $("tempo").addEventListener("input", () => ($("bpm").textContent = `${$("tempo").value} bpm`));
  document.addEventListener("keydown", ({ key, repeat, ctrlKey, metaKey, altKey }) => {
    const pad = KEYS.indexOf(key);
    if (pad >= 0 && pad < pads.length && !(repeat || ctrlKey || metaKey || altKey)) choose(pad);
  });
  soundOf(0).then((sound) => {
    performance.mark("first sound");
    say(sound.failed ?? `Ready: clips of ${(sound.wave.length / rate).toFixed(2)} s at ${rate} Hz`);
  });
  prepare();
}

worker.onerror = () => location.protocol !== "file:" && say("The worker could not start.");
worker.onmessage = ({ data }) => {
  if (data.ready) return ready(data.model);
  if (!data.id) return say(data.failed);
  waiting.get(data.id)(data);
  waiting.delete(data.id);
};

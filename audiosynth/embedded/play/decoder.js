// The reference decoder of audiosynth.generation.exported, function by function, in JavaScript.
// Complex spectra are two Float64Arrays, real and imaginary, (frames × bins). One clip at a time.
"use strict";

const STEPS = 4096; // of loudness

const TURNS = {}; // cosine and sine of a circle's points, by their number

function turns(n) {
  const part = (of) => Float64Array.from({ length: n }, (_, i) => of((2 * Math.PI * i) / n));
  return (TURNS[n] ||= { cosine: part(Math.cos), sine: part(Math.sin) });
}

function fourier(re, im, sign) {
  // The discrete Fourier transform of a power of two of points, in place.
  const n = re.length, { cosine, sine } = turns(n);
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k++) {
      const at = (k * n) / (2 * half), c = cosine[at], s = sign * sine[at];
      for (let a = k; a < n; a += 2 * half) {
        const b = a + half, r = re[b] * c - im[b] * s, i = re[b] * s + im[b] * c;
        re[b] = re[a] - r;
        im[b] = im[a] - i;
        re[a] += r;
        im[a] += i;
      }
    }
  }
}

function analyse(wave, { frame, hop, window }) {
  // Two real frames are transformed as one complex frame.
  const frames = Math.ceil(wave.length / hop), bins = frame / 2 + 1, pad = (frame - hop) >> 1;
  const found = { re: new Float64Array(frames * bins), im: new Float64Array(frames * bins) };
  const re = new Float64Array(frame), im = new Float64Array(frame);
  for (let t = 0; t < frames; t += 2) {
    for (let i = 0, at = t * hop - pad; i < frame; i++, at++) {
      re[i] = (wave[at] || 0) * window[i];
      im[i] = (wave[at + hop] || 0) * window[i];
    }
    fourier(re, im, -1);
    for (let k = 0, here = t * bins; k < bins; k++, here++) {
      const mirror = (frame - k) % frame;
      found.re[here] = (re[k] + re[mirror]) / 2;
      found.im[here] = (im[k] - im[mirror]) / 2;
      if (t + 1 === frames) continue;
      found.re[here + bins] = (im[k] + im[mirror]) / 2;
      found.im[here + bins] = (re[mirror] - re[k]) / 2;
    }
  }
  return found;
}

function synthesise(points, { frame, hop, window, samples }) {
  const bins = frame / 2 + 1, frames = samples / hop, pad = (frame - hop) >> 1;
  const wave = new Float64Array(samples), weight = new Float64Array(samples);
  const re = new Float64Array(frame), im = new Float64Array(frame);
  const add = (values, t) => {
    for (let i = 0, at = t * hop - pad; i < frame; i++, at++) {
      if (at < 0 || at >= samples) continue;
      wave[at] += (values[i] / frame) * window[i];
      weight[at] += window[i] * window[i];
    }
  };
  for (let t = 0; t < frames; t += 2) {
    for (let k = 0, here = t * bins; k < bins; k++, here++) {
      const inside = k > 0 && k < bins - 1, second = t + 1 < frames; // the outer bins are real
      const [a, b] = [points.re[here], inside ? points.im[here] : 0];
      const c = second ? points.re[here + bins] : 0;
      const d = second && inside ? points.im[here + bins] : 0;
      re[k] = a - d;
      im[k] = b + c;
      if (!inside) continue;
      re[frame - k] = a + d;
      im[frame - k] = c - b;
    }
    fourier(re, im, 1);
    add(re, t);
    if (t + 1 < frames) add(im, t + 1);
  }
  return wave.map((value, i) => value / weight[i]);
}

function filtered(magnitude, filters, bins) {
  // (frames × bins) → (frames × filters)
  const frames = magnitude.length / bins, found = new Float64Array(frames * filters.length);
  for (let t = 0; t < frames; t++)
    filters.forEach(({ first, weights }, m) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += magnitude[t * bins + first + i] * weights[i];
      found[t * filters.length + m] = sum;
    });
  return found;
}

function spread(mel, filters, bins) {
  // The transpose of `filtered`.
  const frames = mel.length / filters.length, found = new Float64Array(frames * bins);
  for (let t = 0; t < frames; t++)
    filters.forEach(({ first, weights }, m) => {
      const value = mel[t * filters.length + m];
      for (let i = 0; i < weights.length; i++) found[t * bins + first + i] += value * weights[i];
    });
  return found;
}

function magnitudeOf(x, decoder) {
  // x: (frames × bins or filters), the first channel.
  const { scale, offset, filters, frame } = decoder, bins = frame / 2 + 1, width = scale.length;
  const picture = Float64Array.from(x, (v, i) => Math.exp(v * scale[i % width] + offset[i % width]));
  if (!filters) {
    const found = new Float64Array((x.length / width) * bins);
    for (let t = 0; t * width < x.length; t++)
      found.set(picture.subarray(t * width, (t + 1) * width), t * bins);
    return found;
  }
  const target = spread(picture, filters, bins);
  const total = filters.reduce((sum, { weights }) => weights.reduce((s, w) => s + w, sum), 0);
  let found = target.map((value) => (value / total) * bins);
  for (let n = 0; n < 40; n++) {
    const now = spread(filtered(found, filters, bins), filters, bins);
    found = found.map((value, i) => (value * target[i]) / (now[i] + 1e-9));
  }
  return found;
}

function slopes(level, n, step, stride) {
  // Central differences at one line of n values; one-sided at its ends, as numpy.gradient.
  return (i, k) => {
    const low = Math.max(k - 1, 0), high = Math.min(k + 1, n - 1);
    return (level[i + (high - k) * stride] - level[i + (low - k) * stride]) / (high - low) * step;
  };
}

function firstPhase(magnitude, { frame, hop, gaussian, tolerance }) {
  const bins = frame / 2 + 1, frames = magnitude.length / bins, size = magnitude.length;
  const level = magnitude.map((value) => Math.log(Math.max(value, 1e-20)));
  const loudest = level.reduce((a, b) => Math.max(a, b));
  const along = new Float64Array(size), up = new Float64Array(size);
  const acrossBins = slopes(level, bins, (hop * frame) / gaussian, 1);
  const acrossFrames = slopes(level, frames, gaussian / (hop * frame), bins);
  for (let i = 0; i < size; i++) {
    const k = i % bins;
    along[i] = ((2 * Math.PI * hop) / frame) * k + acrossBins(i, k);
    up[i] = -Math.PI - acrossFrames(i, (i - k) / bins);
  }
  const down = level.map((value) => (loudest - value) / -Math.log(tolerance));
  const step = Int32Array.from(down, (value) => Math.min(value, 1) * (STEPS - 1));
  const phase = new Float64Array(size), settled = Uint8Array.from(down, (value) => value > 1);
  const border = Array.from({ length: STEPS }, () => []);
  const order = Array.from(down.keys()).filter((i) => !settled[i]).sort((a, b) => down[a] - down[b]);
  for (const start of order) {
    if (settled[start]) continue;
    settled[start] = 1;
    border[step[start]].push(start);
    for (let now = step[start]; now < STEPS; ) {
      if (!border[now].length) {
        now++;
        continue;
      }
      const here = border[now].pop(), bin = here % bins;
      for (const [across, higher] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        const there = here + across * bins + higher;
        if (there < 0 || there >= size || bin + higher < 0 || bin + higher >= bins) continue;
        if (settled[there]) continue;
        const slope = across * (along[here] + along[there]) + higher * (up[here] + up[there]);
        phase[there] = phase[here] + slope / 2;
        settled[there] = 1;
        border[step[there]].push(there);
        now = Math.min(now, step[there]);
      }
    }
  }
  return phase;
}

function griffinLim(magnitude, phase, decoder) {
  const scaled = ({ re, im }) => {
    const gain = magnitude.map((m, i) => m / Math.sqrt(re[i] * re[i] + im[i] * im[i] + 1e-20));
    return { re: re.map((v, i) => v * gain[i]), im: im.map((v, i) => v * gain[i]) };
  };
  const leap = (now, before) => now.map((v, i) => v + decoder.momentum * (v - before[i]));
  let points = { re: phase.map(Math.cos), im: phase.map(Math.sin) };
  let last = { re: new Float64Array(phase.length), im: new Float64Array(phase.length) };
  for (let n = 0; n < decoder.iterations; n++) {
    const now = analyse(synthesise(scaled(points), decoder), decoder);
    points = { re: leap(now.re, last.re), im: leap(now.im, last.im) };
    last = now;
  }
  return synthesise(scaled(points), decoder);
}

function channel(x, n, channels) {
  return Float64Array.from({ length: x.length / channels }, (_, i) => x[i * channels + n]);
}

function spectrumOf(x, { scale, frame, exponent }) {
  const bins = frame / 2 + 1, width = scale.length, frames = x.length / width / 2;
  const found = { re: new Float64Array(frames * bins), im: new Float64Array(frames * bins) };
  for (let t = 0; t < frames; t++) {
    for (let k = 0; k < width; k++) {
      found.re[t * bins + k] = x[2 * (t * width + k)] * scale[k][0];
      found.im[t * bins + k] = x[2 * (t * width + k) + 1] * scale[k][1];
    }
    if (width < bins) { // the imaginary part of bin 0 holds the last bin
      found.re[t * bins + width] = found.im[t * bins];
      found.im[t * bins] = 0;
    }
  }
  if (exponent < 1) // compressed magnitudes
    for (let i = 0; i < found.re.length; i++) {
      const gain = (Math.hypot(found.re[i], found.im[i]) + 1e-5) ** (1 / exponent - 1);
      found.re[i] *= gain;
      found.im[i] *= gain;
    }
  return found;
}

function decode(x, decoder) {
  // What the network has emitted for one clip → { wave, magnitude }; no magnitude for waveforms.
  let wave, magnitude = null;
  if (decoder.name === "waveform") wave = Float64Array.from(x);
  else if (decoder.name === "stft") wave = synthesise(spectrumOf(x, decoder), decoder);
  else {
    magnitude = magnitudeOf(channel(x, 0, decoder.shape[2]), decoder);
    wave = griffinLim(magnitude, firstPhase(magnitude, decoder), decoder);
  }
  if (decoder.level_db) {
    const level = channel(x, 1, decoder.shape[2]);
    const mean = level.reduce((a, b) => a + b) / level.length;
    const rms = Math.sqrt(wave.reduce((sum, v) => sum + v * v, 0) / wave.length);
    const gain = 10 ** (((mean - 1) * decoder.level_db) / 40) / Math.max(rms, 1e-3);
    wave = wave.map((v) => v * gain);
  }
  const peak = wave.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  return { wave: wave.map((v) => v / peak), magnitude };
}

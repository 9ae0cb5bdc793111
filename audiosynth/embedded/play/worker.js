// Runs the network and the decoder beside the page. In: { id, z, label }. Out: { id, … }.
"use strict";
importScripts("ort.wasm-core.min.js", "decoder.js");

const PICTURE = { frame: 512, hop: 128 };
PICTURE.window = Array.from({ length: 512 }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * i) / 256));

async function unpacked(file, type) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
  const stream = answer.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream, { headers: { "Content-Type": type } }).blob();
}

async function load() {
  const [runtime, network, model] = await Promise.all([
    unpacked("ort-wasm-simd.wasm.gz", "application/wasm"),
    unpacked("model.onnx.gz", "application/octet-stream"),
    fetch("model.json").then((answer) => answer.json()),
  ]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { "ort-wasm-simd.wasm": URL.createObjectURL(runtime) };
  const session = await ort.InferenceSession.create(await network.arrayBuffer());
  return { session, model };
}

const loaded = load();
loaded.then(
  ({ model }) => postMessage({ ready: true, model }),
  (error) => postMessage({ failed: String(error.message || error) }),
);

function levels(wave) {
  // A spectrogram to look at: (frames × 257) bytes, 0 to 255 over 80 dB.
  const { re, im } = analyse(wave, PICTURE);
  const power = re.map((v, i) => v * v + im[i] * im[i] + 1e-12);
  const top = 10 * Math.log10(power.reduce((a, b) => Math.max(a, b)));
  return Uint8ClampedArray.from(power, (v) => 255 * (1 + (10 * Math.log10(v) - top) / 80));
}

async function sound({ id, z, label }) {
  const { session, model } = await loaded;
  const [latent, second] = model.inputs;
  const inputs = { [latent.name]: new ort.Tensor("float32", Float32Array.from(z), [1, z.length]) };
  if (second) inputs[second.name] = new ort.Tensor("int32", Int32Array.of(label), [1]);
  const x = (await session.run(inputs))[session.outputNames[0]].data;
  const { wave, magnitude } = decode(x, model.decoder);
  postMessage({ id, x, magnitude, wave: Float32Array.from(wave), picture: levels(wave) });
}

let queue = Promise.resolve(); // one after the other, in the order of the requests
onmessage = ({ data }) => {
  queue = queue.then(() => sound(data)).catch((error) => postMessage({ id: data.id, failed: String(error) }));
};

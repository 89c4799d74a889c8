// Calls of the npm package dicomweb-client, one after another, with a browser's XMLHttpRequest from xhr2.
// node dicomweb.mjs; one line of JSON on standard input: { url, authorization, calls: [[method, options], ...] }.
// Prints a JSON array of what each call gave: { value } or { status } of a refusal. Bytes are { base64, type, syntax }.
import { once } from "node:events";
import { createInterface } from "node:readline";
import XMLHttpRequest from "xhr2";
import dicomweb from "dicomweb-client";

globalThis.XMLHttpRequest = XMLHttpRequest;

const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

function written(value) {
  if (isBytes(value)) {
    const bytes = ArrayBuffer.isView(value) ? value : new Uint8Array(value);
    return { base64: Buffer.from(bytes).toString("base64"), type: value.contentType, syntax: value.transferSyntaxUID };
  }
  return Array.isArray(value) ? value.map(written) : value;
}

function read(options) {
  const datasets = options.datasets?.map((text) => Uint8Array.from(Buffer.from(text, "base64")).buffer);
  return datasets ? { ...options, datasets } : options;
}

const [line] = await once(createInterface({ input: process.stdin }), "line");
const { url, authorization, calls } = JSON.parse(line);
const client = new dicomweb.api.DICOMwebClient({ url, headers: { Authorization: authorization }, verbose: false });
const results = [];
for (const [method, options] of calls) {
  try {
    results.push({ value: written(await client[method](read(options))) });
  } catch (error) {
    if (error.status === undefined) throw error;
    results.push({ status: error.status });
  }
}
process.stdout.write(JSON.stringify(results));

/* driver - lets the published client for JavaScript make calls that arrive as lines of JSON, and says what it made of each. */
"use strict";
const readline = require("readline");
const { Livepeer } = require("@livepeer/ai");

const camel = (name) => name.replace(/[-_]([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());

function renamed(value, rename) {
	if (Array.isArray(value)) {
		return value.map((one) => renamed(one, rename));
	}
	if (value === null || typeof value !== "object") {
		return value;
	}
	return Object.fromEntries(Object.entries(value).map(([name, one]) => [rename(name), renamed(one, rename)]));
}

/* A file goes as a Blob, whose name on the wire is "blob", or with a name of its own, as the caller says. */
function file(given) {
	const bytes = new Uint8Array(Buffer.from(given.data, "base64"));
	return given.name ? { fileName: given.name, content: bytes } : new Blob([bytes]);
}

function told(error) {
	return { kind: error.name, value: renamed(error.detail, snake), status: error.statusCode, body: error.body,
		message: error.message };
}

async function answer(livepeer, line) {
	const asked = JSON.parse(line);
	const fields = renamed(asked.fields, camel);
	if (asked.file) {
		fields[asked.file.field] = file(asked.file);
	}
	try {
		const value = await livepeer.generate[camel(asked.pipeline)](fields);
		const key = Object.keys(value).find((name) => /Response$/.test(name) && name !== "rawResponse");
		return { kind: "ok", value: renamed(value[key], snake) };
	} catch (error) {
		return told(error);
	}
}

const livepeer = new Livepeer({ httpBearer: "no secret", serverURL: process.argv[2], timeoutMs: 60000 });
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
	const { id } = JSON.parse(line);
	process.stdout.write(JSON.stringify({ id, ...(await answer(livepeer, line)) }) + "\n");
});

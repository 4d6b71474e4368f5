#!/usr/bin/env node
// Calls an API with the broker's token and prints what it answers.
//
//     node call_api.mjs ACCOUNT PATH        node call_api.mjs gusto-demo/acme /v1/me
//
// Node 18 or newer is all it needs. The token is asked for before each call and kept nowhere: the
// broker answers in well under a millisecond, and always with a token that is valid now.

import { existsSync } from 'node:fs';
import http from 'node:http';

const TIMEOUT_MS = 40_000; // the broker itself answers within 30 s

// The named socket, else the user's where there is one, else the system's.
function brokerSocket() {
  if (process.env.TOKENBROKER_SOCKET) return process.env.TOKENBROKER_SOCKET;
  const users = `${process.env.XDG_RUNTIME_DIR ?? ''}/tokenbroker/api.sock`;
  return existsSync(users) ? users : '/run/tokenbroker/api.sock';
}

// The broker's answer; where it gives none, an error whose code says why in one word.
function askBroker(method, path, members) {
  const body = members ? JSON.stringify(members) : undefined;
  const headers = body
    ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
    : {};
  return new Promise((resolve, reject) => {
    const options = { socketPath: brokerSocket(), method, path, headers, timeout: TIMEOUT_MS };
    const request = http.request(options, async (reply) => {
      try {
        let text = '';
        for await (const part of reply.setEncoding('utf8')) text += part;
        const answer = JSON.parse(text);
        if (reply.statusCode === 200) resolve(answer);
        else reject(Object.assign(new Error(answer.error_description), { code: answer.error }));
      } catch (error) {
        reject(error);
      }
    });
    request.on('timeout', () => request.destroy(new Error('the broker does not answer')));
    request.on('error', reject);
    request.end(body);
  });
}

// One call, with the token where this API wants it.
function call(token, path) {
  const url = new URL(token.api_base + path);
  const headers = {};
  if (token.present.in === 'header') headers[token.present.name] = token.present.value;
  else url.searchParams.set(token.present.name, token.present.value);
  return fetch(url, { headers });
}

// Calls; after a 401 it tells the broker, and tries once more with the next token.
async function callApi(account, path) {
  const token = await askBroker('GET', `/v1/token/${account}`);
  const reply = await call(token, path);
  if (reply.status !== 401) return reply;
  await askBroker('POST', `/v1/reject/${account}`, { access_token: token.access_token });
  return call(await askBroker('GET', `/v1/token/${account}`), path);
}

const [account, path] = process.argv.slice(2);
if (!path) {
  console.error('usage: node call_api.mjs ACCOUNT PATH, such as gusto-demo/acme /v1/me');
  process.exit(1);
}
try {
  const reply = await callApi(account, path);
  console.log(await reply.text());
  if (reply.status !== 200) throw new Error(`the API answered ${reply.status}`);
} catch (error) {
  const toDo = `a person has to log in first: tokenbroker login ${account}`;
  console.error(error.code === 'consent_required' ? toDo : error.message);
  process.exitCode = 1;
}

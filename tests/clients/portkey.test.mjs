// The portkey-ai package, alone and as the headers of an openai client.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';
import { Portkey, createHeaders } from 'portkey-ai';

import {
  PROMPTS, URL_OF_LOCKGATE, assemble, freshModel, reached, request, scenarios, streamed,
} from './scenarios.mjs';

const portkey = new Portkey({ apiKey: 'x', baseURL: URL_OF_LOCKGATE });

// What the package sends as a key when it was given none for the provider.
const DUMMY = 'DUMMY-KEY';

/** The headers of the last answer: the scenarios ask one thing at a time, and `getHeaders` shows x-portkey- ones only. */
function lastHeaders() {
  const headers = portkey.responseHeaders;
  return (name) => headers[name];
}

scenarios('portkey', {
  async ask(model, text) {
    const data = await portkey.chat.completions.create(request(model, text));
    const [choice] = data.choices;
    const answer = { id: data.id, text: choice.message.content, usage: data.usage, finish: choice.finish_reason };
    return { ...answer, header: lastHeaders() };
  },
  async stream(model, text) {
    const stream = await portkey.chat.completions.create(streamed(model, text));
    return { ...(await assemble(stream)), header: lastHeaders() };
  },
  async models() {
    const page = await portkey.models.list();
    return page.data.map((model) => model.id);
  },
  failure(error) {
    assert.equal(typeof error.status, 'number', String(error));
    return { status: error.status, message: error.error.error.message, header: (name) => error.headers[name] };
  },
});

test('portkey: headers without their prefix', async () => {
  const answer = await portkey.chat.completions.create(request(freshModel(), PROMPTS.question));
  const headers = answer.getHeaders();
  assert.ok(headers['trace-id']);
  assert.equal(headers['cache-status'], 'MISS');
});

test('portkey: embeddings', async () => {
  const { data } = await portkey.embeddings.create({ model: 'demo-embedding', input: 'one' });
  assert.equal(data[0].embedding.length, 16);
});

test('portkey: dummy key never reaches the upstream', async () => {
  // The model endpoints go through the package's own copy of openai, which is what sends the dummy.
  await portkey.models.list();
  const seen = [(await reached()).headers];
  await portkey.chat.completions.create(request(freshModel(), PROMPTS.question));
  seen.push((await reached()).headers);
  for (const headers of seen) {
    assert.ok(!(headers.authorization ?? '').includes(DUMMY));
    assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith('x-portkey-')), []);
  }
});

// `createHeaders` as the default headers of an openai client, which is how frameworks use Portkey.

function connect(options) {
  const defaultHeaders = createHeaders({ apiKey: 'x', ...options });
  return new OpenAI({ baseURL: URL_OF_LOCKGATE, apiKey: 'sk-test', defaultHeaders, maxRetries: 0, timeout: 30_000 });
}

async function statuses(client, model, texts) {
  const found = [];
  for (const text of texts) {
    const { response } = await client.chat.completions.create(request(model, text)).withResponse();
    found.push(response.headers.get('x-portkey-cache-status'));
  }
  return found;
}

test('createHeaders: trace id comes back', async () => {
  const answer = connect({ traceID: 'trace-7' }).chat.completions.create(request(freshModel(), PROMPTS.question));
  const { response } = await answer.withResponse();
  assert.equal(response.headers.get('x-portkey-trace-id'), 'trace-7');
});

test('createHeaders: paraphrase hit', async () => {
  const texts = [PROMPTS.question, PROMPTS.paraphrase, PROMPTS.question];
  assert.deepEqual(await statuses(connect({}), freshModel(), texts), ['MISS', 'SEMANTIC HIT', 'HIT']);
});

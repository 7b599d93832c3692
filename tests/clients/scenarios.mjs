// What must hold for every Node client, written once; each client's file says how it asks.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

export const PROMPTS = JSON.parse(readFileSync(new URL('./prompts.json', import.meta.url), 'utf8'));

// The SDKs read keys, base URLs and configs from the environment, which belongs to whoever runs the tests.
for (const name of Object.keys(process.env)) {
  if (/^(OPENAI|PORTKEY)_/.test(name)) delete process.env[name];
}

function required(name) {
  const value = process.env[name];
  const remedy = 'run `cargo test --features clients --test clients`, which starts Lockgate and sets it';
  if (!value) throw new Error(`${name} is not set: ${remedy}`);
  return value;
}

/** Lockgate's base URL, as an application would set it. */
export const URL_OF_LOCKGATE = required('LOCKGATE_URL');
const URL_OF_DEMO = required('LOCKGATE_DEMO_URL');

/** A model that no other test asks, so that no other test's answers are in its cache. */
export const freshModel = () => `demo-${randomUUID().slice(0, 13)}`;

/** What reached the upstream last, past anything that Lockgate does to an answer. */
export async function reached() {
  const response = await fetch(`${URL_OF_DEMO}/demo/last`);
  return response.json();
}

/** Reads a stream of chunks to its end. */
export async function assemble(stream) {
  const ids = new Set();
  const answer = { text: '', usage: undefined, finish: undefined };
  for await (const chunk of stream) {
    // A chunk without choices carries the usage, or what a guardrail found.
    answer.usage = chunk.usage ?? answer.usage;
    for (const choice of chunk.choices ?? []) {
      ids.add(chunk.id);
      answer.text += choice.delta.content ?? '';
      answer.finish = choice.finish_reason ?? answer.finish;
    }
  }
  assert.equal(ids.size, 1, 'all chunks are of one answer');
  return { id: [...ids][0], ...answer };
}

/** The request that every scenario makes. */
export function request(model, text, options = {}) {
  return { model, messages: [{ role: 'user', content: text }], ...options };
}

export function streamed(model, text) {
  return request(model, text, { stream: true, stream_options: { include_usage: true } });
}

/**
 * Registers the scenarios for a client: `ask` and `stream` resolve to { id, text, usage, finish, header(name) },
 * `models` to ids, and `failure` turns what the client throws into { status, message, header(name) }.
 */
export function scenarios(name, client) {
  const cache = (answer) => answer.header('x-portkey-cache-status');
  const scenario = (title, run) => test(`${name}: ${title}`, () => run(freshModel()));
  const refused = async (model) => {
    const outcome = client.ask(model, PROMPTS.question).then(() => null, client.failure);
    return (await outcome) ?? assert.fail(`${model} was answered`);
  };

  scenario('completion', async (model) => {
    const answer = await client.ask(model, PROMPTS.question);
    assert.ok(answer.text.includes(PROMPTS.question));
    assert.match(answer.id, /^chatcmpl-/);
    assert.ok(answer.usage.total_tokens > 0);
    assert.equal(answer.finish, 'stop');
    assert.ok(answer.header('x-portkey-trace-id'));
  });

  scenario('stream', async (model) => {
    const answer = await client.stream(model, PROMPTS.question);
    assert.ok(answer.text.includes(PROMPTS.question));
    assert.ok(answer.usage.total_tokens > 0);
    assert.equal(answer.finish, 'stop');
    assert.ok(answer.header('x-portkey-trace-id'));
    assert.match(answer.header('content-type'), /^text\/event-stream/);
  });

  scenario('rate limit of the upstream', async (model) => {
    const failure = await refused(`${model}:status=429,retry-after=0`);
    assert.equal(failure.status, 429);
    assert.match(failure.message, /asked for a 429/);
    assert.ok(failure.header('x-portkey-trace-id'));
    assert.equal(failure.header('retry-after'), '0');
  });

  scenario('refusal of the upstream', async (model) => {
    const failure = await refused(`${model}:nonsense`);
    assert.equal(failure.status, 400);
    assert.match(failure.message, /Unknown directive `nonsense`/);
    assert.ok(failure.header('x-portkey-trace-id'));
  });

  scenario('paraphrase is a semantic hit', async (model) => {
    const first = await client.ask(model, PROMPTS.question);
    const second = await client.ask(model, PROMPTS.paraphrase);
    assert.deepEqual([cache(first), cache(second)], ['MISS', 'SEMANTIC HIT']);
    const similarity = Number(second.header('x-lockgate-similarity'));
    assert.ok(similarity > 0 && similarity <= 1, `similarity ${similarity}`);
    assert.match(second.header('age'), /^\d+$/);
    assert.deepEqual([second.id, second.text], [first.id, first.text]);
    assert.notEqual(second.header('x-portkey-trace-id'), first.header('x-portkey-trace-id'));
  });

  scenario('repeat is a hit', async (model) => {
    const first = await client.ask(model, PROMPTS.question);
    const second = await client.ask(model, PROMPTS.question);
    assert.deepEqual([cache(first), cache(second)], ['MISS', 'HIT']);
    assert.match(second.header('age'), /^\d+$/);
    assert.deepEqual([second.id, second.text], [first.id, first.text]);
  });

  scenario('another model is a miss', async (model) => {
    await client.ask(model, PROMPTS.question);
    assert.equal(cache(await client.ask(`${model}-2`, PROMPTS.question)), 'MISS');
  });

  scenario('stored answer replays as a stream', async (model) => {
    const first = await client.ask(model, PROMPTS.question);
    const second = await client.stream(model, PROMPTS.question);
    assert.equal(cache(second), 'HIT');
    assert.deepEqual([second.id, second.text, second.finish], [first.id, first.text, first.finish]);
    assert.equal(second.usage.total_tokens, first.usage.total_tokens);
  });

  scenario('stored stream answers a plain request', async (model) => {
    const first = await client.stream(model, PROMPTS.question);
    const second = await client.ask(model, PROMPTS.question);
    assert.deepEqual([cache(first), cache(second)], ['MISS', 'HIT']);
    assert.deepEqual([second.id, second.text], [first.id, first.text]);
  });

  scenario('failure is not stored', async (model) => {
    for (let turn = 0; turn < 2; turn += 1) {
      const failure = await refused(`${model}:status=400`);
      assert.ok(!['HIT', 'SEMANTIC HIT'].includes(cache(failure)));
    }
  });

  scenario('injection is warned about', async (model) => {
    const answer = await client.ask(model, PROMPTS.injection);
    assert.ok(answer.header('x-lockgate-rules'));
    assert.ok(answer.text.includes(PROMPTS.injection));
  });

  scenario('card number never reaches the upstream', async (model) => {
    const answer = await client.ask(`${model}:echo`, PROMPTS.card);
    assert.ok(answer.header('x-lockgate-rules'));
    const body = JSON.parse((await reached()).body);
    assert.equal(body.model, `${model}:echo`);
    const sent = body.messages.at(-1).content;
    assert.match(sent, /^Please charge my card .* for the order\.$/);
    assert.ok(!sent.includes('1111'), 'the number was replaced');
  });

  scenario('models', async () => {
    assert.ok((await client.models()).includes('demo'));
  });
}

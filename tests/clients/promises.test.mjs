// What the clients' own documentation promises, row by row; the number in a test's name is that of the row.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { Portkey } from 'portkey-ai';

import { PROMPTS, URL_OF_LOCKGATE, freshModel, reached, request } from './scenarios.mjs';

const failing = (directive) => ({ virtualKey: 'primary', overrideParams: { model: `demo:${directive}` } });

/** One answer, with the headers it came under. */
async function ask(options, model = freshModel(), text = PROMPTS.question) {
  const client = new Portkey({ apiKey: 'pk', baseURL: URL_OF_LOCKGATE, ...options });
  const data = await client.chat.completions.create(request(model, text));
  return { data, header: (name) => data.getHeaders()[name] };
}

test('row 3: a virtual key', async () => {
  const { data } = await ask({ virtualKey: 'primary' });
  assert.ok(data.choices[0].message.content);
  assert.equal((await reached()).headers.authorization, 'Bearer sk-primary');
});

test('row 3: a config in camelCase', async () => {
  const model = freshModel();
  const config = {
    virtualKey: 'secondary', overrideParams: { model: `other-${model}` },
    cache: { mode: 'semantic', maxAge: 60, similarityThreshold: 0.97 },
  };
  const { header } = await ask({ config }, model);
  assert.equal(header('cache-status'), 'SEMANTIC MISS');
  assert.equal((await reached()).body.model, `other-${model}`);
  assert.equal((await ask({ config }, model)).header('cache-status'), 'HIT');
});

test('row 4: a virtual key in the headers of an openai client', async () => {
  const defaultHeaders = { 'x-portkey-virtual-key': 'secondary' };
  const client = new OpenAI({ baseURL: URL_OF_LOCKGATE, apiKey: 'x', defaultHeaders, maxRetries: 0 });
  const answer = await client.chat.completions.create(request(freshModel(), PROMPTS.question));
  assert.ok(answer.choices[0].message.content);
  assert.equal((await reached()).headers.authorization, 'Bearer sk-secondary');
});

test('rows 5 and 7: a fallback whose first target is tried again', async () => {
  const retry = { attempts: 1, onStatusCodes: [500] };
  const targets = [{ ...failing('status=500'), retry }, { virtualKey: 'secondary' }];
  const { header } = await ask({ config: { strategy: { mode: 'fallback' }, targets } });
  assert.equal(header('last-used-option-index'), 'config.targets[1]');
});

test('row 6: a load balancer moves on from a pick that fails', async () => {
  const targets = [{ ...failing('status=503'), weight: 0.9 }, { virtualKey: 'secondary', weight: 0.1 }];
  const { header } = await ask({ config: { strategy: { mode: 'loadbalance', onStatusCodes: [503] }, targets } });
  assert.equal(header('last-used-option-index'), 'config.targets[1]');
});

test('row 8: targets without a strategy', async () => {
  const { header } = await ask({ config: { targets: [{ virtualKey: 'primary' }, failing('status=500')] } });
  assert.equal(header('last-used-option-index'), 'config.targets[0]');
});

test('row 9: a condition that names virtual keys', async () => {
  const conditions = [{ query: { model: 'gpt-4' }, then: 'secondary' }];
  await ask({ config: { strategy: { mode: 'conditional', conditions, default: 'primary' } } }, 'gpt-4');
  assert.equal((await reached()).headers.authorization, 'Bearer sk-secondary');
});

test('row 10: the body tells what the cache did', async () => {
  const [model, config] = [freshModel(), { virtualKey: 'primary', cache: { mode: 'simple', maxAge: 60 } }];
  assert.equal((await ask({ config }, model)).data.extensions.cache_status, 'MISS');
  assert.equal((await ask({ config }, model)).data.extensions.cache_status, 'HIT');
});

test('row 25: an error of a config names the place', async () => {
  await assert.rejects(ask({ config: { targets: [{ virtualKey: 'nobody' }] } }), (error) => {
    assert.equal(error.status, 400);
    return error.error.error.param === 'targets[0]';
  });
});

test('row 25: the Vercel AI SDK answers and streams', async () => {
  const provider = createOpenAI({ baseURL: URL_OF_LOCKGATE, apiKey: 'sk-test' });
  const model = provider.chat(freshModel());
  const { text, usage } = await generateText({ model, prompt: PROMPTS.question, maxRetries: 0 });
  assert.ok(text);
  assert.ok(usage.inputTokens > 0);
  let told = '';
  for await (const piece of streamText({ model, prompt: PROMPTS.question, maxRetries: 0 }).textStream) told += piece;
  assert.equal(told, text, 'the stream is the answer from the cache');
});

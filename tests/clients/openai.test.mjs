// The openai package, with nothing changed but its base URL.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { PROMPTS, URL_OF_LOCKGATE, assemble, freshModel, request, scenarios, streamed } from './scenarios.mjs';

const openai = new OpenAI({ baseURL: URL_OF_LOCKGATE, apiKey: 'sk-test', maxRetries: 0, timeout: 30_000 });

const header = (response) => (name) => response.headers.get(name);

scenarios('openai', {
  async ask(model, text) {
    const { data, response } = await openai.chat.completions.create(request(model, text)).withResponse();
    const [choice] = data.choices;
    const answer = { id: data.id, text: choice.message.content, usage: data.usage, finish: choice.finish_reason };
    return { ...answer, header: header(response) };
  },
  async stream(model, text) {
    const { data, response } = await openai.chat.completions.create(streamed(model, text)).withResponse();
    return { ...(await assemble(data)), header: header(response) };
  },
  async models() {
    const page = await openai.models.list();
    return page.data.map((model) => model.id);
  },
  failure(error) {
    assert.ok(error instanceof OpenAI.APIError, String(error));
    return { status: error.status, message: error.error.message, header: (name) => error.headers.get(name) };
  },
});

test('openai: errors have their classes', async () => {
  const ask = (directives) => openai.chat.completions.create(request(`${freshModel()}:${directives}`, 'Hello'));
  await assert.rejects(ask('status=429'), OpenAI.RateLimitError);
  await assert.rejects(ask('status=400'), OpenAI.BadRequestError);
});

test('openai: stream ends with done', async () => {
  const model = freshModel();
  // Twice, because the second comes from the cache.
  for (let turn = 0; turn < 2; turn += 1) {
    const response = await openai.chat.completions.create(streamed(model, PROMPTS.question)).asResponse();
    const lines = (await response.text()).split('\n').filter(Boolean);
    assert.equal(lines.at(-1), 'data: [DONE]');
    assert.ok(lines.every((line) => line.startsWith('data: ')));
  }
});

test('openai: embeddings', async () => {
  // The package asks for base64, and decodes it.
  const { data } = await openai.embeddings.create({ model: 'demo-embedding', input: ['one', 'two'] });
  const [one, two] = data.map((item) => item.embedding);
  assert.deepEqual([one.length, two.length], [16, 16]);
  assert.notDeepEqual(one, two);
});

test('openai: tool call in a stream', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters } }];
  const wanted = request(freshModel(), 'Call a tool: how is the weather in Paris?', { tools });
  for (let turn = 0; turn < 2; turn += 1) {
    const message = await openai.chat.completions.stream(wanted).finalMessage();
    const [call] = message.tool_calls;
    assert.deepEqual([call.function.name, call.function.arguments], ['get_weather', '{"city":"Paris"}']);
  }
});

/** Answers as the families write them, and what they come to. Formats after llama.cpp's own tests; the texts are ours. */
export interface Recorded {
  name: string;
  format: string;
  text: string;
  /** Thoughts were opened by the prompt. */
  opened?: true;
  thinking?: string;
  said?: string;
  reasoning?: string;
  /** Name and arguments; a third: it is invalid. */
  calls?: readonly (readonly [name: string, args: unknown, invalid?: RegExp])[];
}

const object = (properties: Record<string, unknown>): Record<string, unknown> => ({ type: 'object', properties });

/** Tools that they call. */
export const tools: ReadonlyMap<string, Record<string, unknown>> = new Map([
  ['get_weather', object({ city: { type: 'string' }, days: { type: 'integer' } })],
  ['get_time', object({ city: { type: 'string' } })],
  ['run', object({ code: { type: 'string' }, options: { type: 'object' }, tags: { type: 'array' }, fast: { type: 'boolean' } })],
  ['noop', object({})],
  ['Calendar.create', object({ title: { type: 'string' }, people: { type: 'array' } })],
]);

const paris = ['get_weather', { city: 'Paris', days: 3 }] as const;
const code = 'print("a")\nif x < 3:\n\treturn "</tool" + \'é😀\'';

export const recorded: readonly Recorded[] = [
  // Hermes and Qwen
  { name: 'one call', format: 'hermes', text: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>', calls: [paris] },
  {
    name: 'text, two calls', format: 'hermes',
    text: 'Let me look.\n\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>\n<tool_call>\n{"name": "get_time", "arguments": {"city": "Zürich 🕰️ \\"x\\""}}\n</tool_call>',
    said: 'Let me look.', calls: [paris, ['get_time', { city: 'Zürich 🕰️ "x"' }]],
  },
  {
    name: 'text around', format: 'hermes', text: 'First. <tool_call>{"name":"noop","arguments":{}}</tool_call>\nThen.\n',
    said: 'First.\nThen.\n', calls: [['noop', {}]],
  },
  {
    name: 'thoughts before', format: 'hermes', thinking: '<think>',
    text: '<think>\nI should call <tool_call> now.\n</think>\n\nHm.\n<tool_call>\n{"name": "noop", "arguments": {}}\n</tool_call>',
    reasoning: 'I should call <tool_call> now.', said: 'Hm.', calls: [['noop', {}]],
  },
  { name: 'thoughts that the prompt has opened', format: 'hermes', thinking: '<think>', opened: true, text: 'Hm, 1 < 2.</think>\n\nYes.', reasoning: 'Hm, 1 < 2.', said: 'Yes.' },
  { name: 'thoughts without an end', format: 'hermes', thinking: '<think>', text: '<think>Hm, </thin', reasoning: 'Hm, </thin' },
  { name: 'empty thoughts', format: 'hermes', thinking: '<think>', text: '<think>\n\n</think>\n\nYes.', said: 'Yes.' },
  { name: 'thoughts in the text stay', format: 'hermes', thinking: '<think>', text: 'The tag <think> is </think>.', said: 'The tag <think> is </think>.' },
  { name: 'arguments first', format: 'hermes', text: '<tool_call>{"arguments": {"city": "Paris", "days": 3}, "name": "get_weather"}</tool_call>', calls: [paris] },
  { name: 'arguments as text', format: 'hermes', text: '<tool_call>{"name": "get_time", "arguments": "{\\"city\\": \\"Rome\\"}"}</tool_call>', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'in function', format: 'hermes', text: '<tool_call>{"type": "function", "function": {"name": "get_time", "parameters": {"city": "Rome"}}}</tool_call>', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'without arguments', format: 'hermes', text: '<tool_call>\n{"name": "noop"}\n</tool_call>', calls: [['noop', {}]] },
  { name: 'no such tool', format: 'hermes', text: '<tool_call>\n{"name": "fly", "arguments": {"to": "Mars"}}\n</tool_call>', calls: [['fly', { to: 'Mars' }, /no tool "fly"/]] },
  {
    name: 'arguments that are not JSON', format: 'hermes', text: '<tool_call>\n{"name": "get_time", "arguments": {city: Rome}}\n</tool_call>\nDone.',
    said: 'Done.', calls: [['get_time', '{city: Rome}}\n', /no JSON object/]],
  },
  { name: 'arguments that are a list', format: 'hermes', text: '<tool_call>{"name": "get_time", "arguments": [1]}</tool_call>', calls: [['get_time', [1], /no JSON object/]] },
  { name: 'without an end', format: 'hermes', text: '<tool_call>\n{"name": "get_time", "arguments": {"city": "Ro', calls: [['get_time', '{"city": "Ro', /no JSON object/]] },
  { name: 'no call in the tag', format: 'hermes', text: 'Write <tool_call>, then JSON.', said: 'Write <tool_call>, then JSON.' },
  { name: 'bare object of a known tool', format: 'hermes', text: '{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}', calls: [paris] },
  { name: 'bare object of something else', format: 'hermes', text: ' {"name": "Ada", "arguments": {}} is JSON', said: ' {"name": "Ada", "arguments": {}} is JSON' },
  { name: 'a fence', format: 'hermes', text: 'So:\n```json\n{"name": "get_time", "arguments": {"city": "Rome"}}\n```', said: 'So:', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'a fence of something else', format: 'hermes', text: 'So:\n```json\n{"name": "Ada"}\n```\nis it.', said: 'So:\n```json\n{"name": "Ada"}\n```\nis it.' },
  { name: 'the wrong tag', format: 'hermes', text: '<tools>\n{"name": "get_time", "arguments": {"city": "Rome"}}\n</tools>', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'a tag that stays a beginning', format: 'hermes', text: 'a <tool_cal', said: 'a <tool_cal' },
  // Qwen3-Coder
  {
    name: 'tagged', format: 'qwen3-coder',
    text: '<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>', calls: [paris],
  },
  {
    name: 'values of every type', format: 'qwen3-coder',
    text: `Run it.\n<tool_call>\n<function=run>\n<parameter=code>\n${code}\n</parameter>\n<parameter=options>\n{"a": [1, null]}\n</parameter>\n<parameter=fast>\nTrue\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=noop>\n</function>\n</tool_call>`,
    said: 'Run it.', calls: [['run', { code, options: { a: [1, null] }, fast: true }], ['noop', {}]],
  },
  { name: 'number where a text is due', format: 'qwen3-coder', text: '<function=get_time>\n<parameter=city>\n007\n</parameter>\n</function>', calls: [['get_time', { city: '007' }]] },
  // GLM
  {
    name: 'keys and values', format: 'glm',
    text: '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>', calls: [paris],
  },
  // templates that know no tools
  { name: 'one', format: 'generic', text: '{"tool_call": {"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}}', calls: [paris] },
  { name: 'several', format: 'generic', text: '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}, {"name": "noop", "arguments": {}}]}', calls: [paris, ['noop', {}]] },
  { name: 'an answer', format: 'generic', text: '{"response": "Yes \\"é\\u00e9\\ud83d\\ude00😀\\"\\n."}', said: 'Yes "éé😀😀"\n.' },
  { name: 'plain text', format: 'generic', text: '{1, 2} is a set.', said: '{1, 2} is a set.' },
  // Llama 3
  { name: 'bare', format: 'llama3', text: '{"name": "get_weather", "parameters": {"city": "Paris", "days": 3}}', calls: [paris] },
  { name: 'bare with its type', format: 'llama3', text: '{"type": "function", "name": "get_weather", "parameters": {"city": "Paris", "days": 3}}', calls: [paris] },
  {
    name: 'two', format: 'llama3', text: '{"name": "get_weather", "parameters": {"city": "Paris", "days": 3}}; {"name": "noop", "parameters": {}}',
    calls: [paris, ['noop', {}]],
  },
  { name: 'behind the tag', format: 'llama3', text: '<|python_tag|>{"name": "get_time", "parameters": {"city": "Rome"}}', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'Python behind the tag', format: 'llama3', text: '<|python_tag|>get_time(city="Rome")', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'a function tag', format: 'llama3', text: '<function=get_time>{"city": "Rome"}</function>', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'text', format: 'llama3', text: 'It is {"name": 3}.', said: 'It is {"name": 3}.' },
  // Mistral
  { name: 'list', format: 'mistral', text: '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}, "id": "123456789"}, {"name": "noop", "arguments": {}, "id": "abcdefghi"}]', calls: [paris, ['noop', {}]] },
  { name: 'names', format: 'mistral', text: 'Well. [TOOL_CALLS]get_weather[ARGS]{"city": "Paris", "days": 3}[TOOL_CALLS]noop[ARGS]{}', said: 'Well.', calls: [paris, ['noop', {}]] },
  { name: 'names with ids', format: 'mistral', text: '[TOOL_CALLS]get_weather[CALL_ID]123456789[ARGS]{"city": "Paris", "days": 3}', calls: [paris] },
  { name: 'names alone', format: 'mistral', text: '[TOOL_CALLS]get_weather{"city": "Paris", "days": 3}', calls: [paris] },
  { name: 'thoughts', format: 'mistral', thinking: '[THINK]', text: '[THINK]Hm [1].[/THINK]Yes.', reasoning: 'Hm [1].', said: 'Yes.' },
  // Granite
  { name: 'list', format: 'granite', text: '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}, {"name": "noop", "arguments": {}}]', calls: [paris, ['noop', {}]] },
  { name: 'spelled tag', format: 'granite', text: '<tool_call>[{"arguments": {"city": "Rome"}, "name": "get_time"}]', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'Granite 4', format: 'hermes', text: '<tool_call>\n{"name": "get_time", "arguments": {"city": "Rome"}}\n</tool_call>', calls: [['get_time', { city: 'Rome' }]] },
  // LFM2
  { name: 'Python', format: 'lfm2', text: '<|tool_call_start|>[get_weather(city="Paris", days=3)]<|tool_call_end|>', calls: [paris] },
  {
    name: 'values of every type', format: 'lfm2', thinking: '<think>',
    text: '<think>Hm</think>Now.<|tool_call_start|>[run(code=\'a = "b"\\n\', options={"on": True, \'n\': None, "f": -1.5e3, "j": true}, tags=["a", [1, 2]], fast=False), noop(), Calendar.create(title="demo", people=["Ada", "Bob"])]<|tool_call_end|>',
    reasoning: 'Hm', said: 'Now.',
    calls: [['run', { code: 'a = "b"\n', options: { on: true, n: null, f: -1500, j: true }, tags: ['a', [1, 2]], fast: false }], ['noop', {}], ['Calendar.create', { title: 'demo', people: ['Ada', 'Bob'] }]],
  },
  { name: 'by place', format: 'lfm2', text: '<|tool_call_start|>[get_weather("Paris", 3)]<|tool_call_end|>', calls: [paris] },
  { name: 'without its tags', format: 'lfm2', text: '[get_time(city="Rome")]', calls: [['get_time', { city: 'Rome' }]] },
  { name: 'a list that is none', format: 'lfm2', text: '[get_lost(city="Rome")] is Python', said: '[get_lost(city="Rome")] is Python' },
  { name: 'without an end', format: 'lfm2', text: '<|tool_call_start|>[get_time(city="Ro', calls: [['get_time', '', /no JSON object/]] },
  // Gemma
  { name: 'Python', format: 'gemma', text: '```tool_code\nget_weather(city="Paris", days=3)\n```', calls: [paris] },
  { name: 'Python, printed, two', format: 'gemma', text: 'Sure.\n```tool_code\nprint(get_weather(city=\'Paris\', days=3))\nnoop()\n```', said: 'Sure.', calls: [paris, ['noop', {}]] },
  { name: 'JSON', format: 'gemma', text: '```json\n{"name": "get_weather", "parameters": {"city": "Paris", "days": 3}}\n```', calls: [paris] },
  { name: 'bare Python', format: 'gemma', text: '[get_weather(city="Paris", days=3)]', calls: [paris] },
  { name: 'some other code', format: 'gemma', text: '```tool_code\nx = 3\n```', said: '```tool_code\nx = 3\n```' },
  { name: 'braces', format: 'functiongemma', text: '<start_function_call>call:get_weather{city:<escape>Paris<escape>,days:3}<end_function_call>', calls: [paris] },
  {
    name: 'braces, values of every type', format: 'functiongemma',
    text: '<start_function_call>call:run{code:<escape>a {"b"}, c\n<escape>,fast:true,options:{a:null,b:{c:1.5}},tags:[<escape>x<escape>,[],{}]}<end_function_call><start_function_call>call:noop{}<end_function_call>',
    calls: [['run', { code: 'a {"b"}, c\n', fast: true, options: { a: null, b: { c: 1.5 } }, tags: ['x', [], {}] }], ['noop', {}]],
  },
  {
    name: 'Gemma 4', format: 'gemma4', thinking: '<|channel>thought\n',
    text: '<|channel>thought\nHm\n<channel|><|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:3}<tool_call|><|tool_call>call:noop{}<tool_call|>',
    reasoning: 'Hm', calls: [paris, ['noop', {}]],
  },
];

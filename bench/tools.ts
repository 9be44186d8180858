/**
 * Whether a model picks the right tool: 40 questions to nine tools, greedy, with arguments held to their schemas and without.
 *
 *   tsx bench/tools.ts MODEL.gguf [--auto]
 *
 * A question is right where exactly the tool is called that it needs, and arguments are valid and what was asked for. `--auto`: the model
 * may also say something instead; else it must call.
 */
import { respond, type JsonSchema, type ToolDefinition } from '../src/chat/index.ts';
import { createGrammar } from '../src/grammar/index.ts';
import { load } from '../src/index.ts';

const text = (description: string, more: object = {}): object => ({ type: 'string', description, ...more });
const tool = (name: string, description: string, properties: Record<string, object>, required = Object.keys(properties)): ToolDefinition =>
  ({ name, description, parameters: { type: 'object', properties, required, additionalProperties: false } });
const date = text('As YYYY-MM-DD', { pattern: '^\\d{4}-\\d{2}-\\d{2}$' }), time = text('As HH:MM', { pattern: '^\\d{2}:\\d{2}$' });

const tools: readonly ToolDefinition[] = [
  tool('get_weather', 'Current weather of a city', { city: text('Name of the city'), unit: text('Unit of temperature', { enum: ['celsius', 'fahrenheit'] }) }, ['city']),
  tool('calculate', 'Evaluate an arithmetic expression', { expression: text('For example 2*(3+4)') }),
  tool('create_event', 'Put an event into the calendar', { title: text('What it is'), date, time }, ['title', 'date', 'time']),
  tool('web_search', 'Search the web for information', { query: text('What to search for') }),
  tool('convert_units', 'Convert a quantity from one unit to another', { value: { type: 'number' }, from: text('Unit that it is in'), to: text('Unit that is wanted') }),
  tool('set_reminder', 'Remind the user of something after some minutes', { message: text('What of'), minutes: { type: 'integer', minimum: 1 } }),
  tool('send_email', 'Send an email', { to: text('Address'), subject: text('Subject line'), body: text('The text') }),
  tool('translate', 'Translate a text into another language', { text: text('The text'), language: text('Language to translate into') }),
  tool('get_stock_price', 'Latest price of a stock', { symbol: text('Ticker symbol, for example AAPL') }),
];

/** A question, the tool that it needs, and what must be in the arguments: a number as it is, of texts a part, whatever its case. */
type Question = readonly [asked: string, tool: string, needed: Readonly<Record<string, string | number | RegExp>>];
const questions: readonly Question[] = [
  ['What is the weather in Paris?', 'get_weather', { city: 'paris' }],
  ['Is it raining in Tokyo right now?', 'get_weather', { city: 'tokyo' }],
  ['How warm is it in Madrid, in celsius?', 'get_weather', { city: 'madrid', unit: 'celsius' }],
  ['Do I need an umbrella in London today?', 'get_weather', { city: 'london' }],
  ['Tell me the temperature in Chicago in fahrenheit.', 'get_weather', { city: 'chicago', unit: 'fahrenheit' }],
  ['What is 17 times 23?', 'calculate', { expression: /17.*23/ }],
  ['Calculate (12 + 30) / 7.', 'calculate', { expression: /12\s*\+\s*30.*7/ }],
  ['How much is 15 percent of 240?', 'calculate', { expression: /240|15/ }],
  ['What do I get when I add 1024, 512 and 256?', 'calculate', { expression: /1024.*512.*256/ }],
  ['Evaluate 3.5 * 4 - 2.', 'calculate', { expression: /3\.5\s*\*\s*4/ }],
  ['Put a dentist appointment into my calendar on 2026-03-14 at 09:30.', 'create_event', { title: 'dentist', date: '2026-03-14', time: '09:30' }],
  ['Schedule a team meeting for 2026-05-02 at 14:00.', 'create_event', { title: 'meeting', date: '2026-05-02', time: '14:00' }],
  ['Add "Lunch with Ana" to the calendar for 2026-07-19, 12:15.', 'create_event', { title: 'lunch with ana', date: '2026-07-19', time: '12:15' }],
  ['Create an event called Yoga on 2026-01-08 at 18:00.', 'create_event', { title: 'yoga', date: '2026-01-08', time: '18:00' }],
  ['Search the web for the best hiking trails in Norway.', 'web_search', { query: 'norway' }],
  ['Find recent news about solar energy.', 'web_search', { query: 'solar' }],
  ['Look up who won the chess world championship.', 'web_search', { query: 'chess' }],
  ['I need information about the history of the Suez Canal, please search for it.', 'web_search', { query: 'suez' }],
  ['Google vegan restaurants near Berlin.', 'web_search', { query: 'vegan' }],
  ['Convert 10 miles to kilometers.', 'convert_units', { value: 10, from: 'mi', to: /k/i }],
  ['How many pounds are 72 kilograms?', 'convert_units', { value: 72, from: 'k', to: /pound|lb/i }],
  ['What is 5.5 feet in meters?', 'convert_units', { value: 5.5, from: /f[eo]*t/i, to: 'm' }],
  ['Change 100 degrees fahrenheit into celsius.', 'convert_units', { value: 100, from: 'f', to: 'c' }],
  ['How many liters are 3 gallons?', 'convert_units', { value: 3, from: 'gal', to: 'l' }],
  ['Remind me in 20 minutes to take the cake out of the oven.', 'set_reminder', { message: /cake|oven/i, minutes: 20 }],
  ['Set a reminder to call mom in 45 minutes.', 'set_reminder', { message: 'mom', minutes: 45 }],
  ['In 5 minutes, remind me to stretch.', 'set_reminder', { message: 'stretch', minutes: 5 }],
  ['Please remind me to drink water after 90 minutes.', 'set_reminder', { message: 'water', minutes: 90 }],
  ['Give me a reminder in 10 minutes: check the laundry.', 'set_reminder', { message: 'laundry', minutes: 10 }],
  ['Send an email to bob@example.com with the subject Hello and the text How are you?', 'send_email', { to: 'bob@example.com', subject: 'hello', body: 'how are you' }],
  ['Write a mail to anna@example.org, subject "Invoice": the invoice is attached.', 'send_email', { to: 'anna@example.org', subject: 'invoice', body: 'attached' }],
  ['Email team@example.com that the release is delayed; subject: Release.', 'send_email', { to: 'team@example.com', subject: 'release', body: 'delay' }],
  ['Tell carl@example.net by email that dinner is at eight, subject Dinner.', 'send_email', { to: 'carl@example.net', subject: 'dinner', body: 'eight' }],
  ['Translate "Good morning" into French.', 'translate', { text: 'good morning', language: 'fr' }],
  ['How do you say "thank you" in Japanese?', 'translate', { text: 'thank you', language: 'ja' }],
  ['Translate the sentence "Where is the station?" to German.', 'translate', { text: 'where is the station', language: /ger|^de/i }],
  ['Give me the Spanish translation of "I am hungry".', 'translate', { text: 'hungry', language: /spa|^es/i }],
  ['What is the price of AAPL stock?', 'get_stock_price', { symbol: 'aapl' }],
  ['How is the MSFT share doing?', 'get_stock_price', { symbol: 'msft' }],
  ['Get me the latest stock price for NVDA.', 'get_stock_price', { symbol: 'nvda' }],
];

const has = (value: unknown, needed: string | number | RegExp): boolean =>
  typeof needed === 'number' ? Number(value) === needed : typeof needed === 'string' ? String(value).toLowerCase().includes(needed) : needed.test(String(value));

const [file, ...flags] = process.argv.slice(2);
if (file === undefined) throw new Error('tsx bench/tools.ts MODEL.gguf [--auto]');
const model = await load(file, { contextSize: 4096 }), grammar = createGrammar(model.tokenizer), isAuto = flags.includes('--auto');

/** Whether a text is valid against a tool's schema. */
function isValid(name: string, args: string): boolean {
  const schema = tools.find((one) => one.name === name)?.parameters as JsonSchema | undefined, constraint = schema && grammar.jsonSchema(schema);
  if (!constraint) return false;
  try {
    const given = JSON.parse(args) as Record<string, unknown>, order = Object.keys(schema.properties as object);
    const place = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length); // the grammar has one order, schemas have none
    const sorted = Object.fromEntries(Object.entries(given).sort(([a], [b]) => place(a) - place(b)));
    for (const id of model.tokenizer.encode(JSON.stringify(sorted))) constraint.accept(id);
    return model.tokenizer.eogIds.some((id) => constraint.allows(id));
  } catch {
    return false;
  }
}

console.log(`${model.info.name}, ${questions.length} questions, ${tools.length} tools, ${isAuto ? 'may call' : 'must call'}`);
for (const held of [true, false]) {
  let right = 0, called = 0, valid = 0, tokens = 0;
  const started = performance.now(), wrong: string[] = [];
  for (const [asked, name, needed] of questions) {
    const { toolCalls: [call, ...more], text: said, stats } = await respond(model, {
      messages: [{ role: 'user', content: asked }], tools, temperature: 0, maxTokens: 160,
      toolChoice: held && !isAuto ? 'required' : 'auto', constrainTools: held,
    }).result();
    tokens += stats.generatedTokens;
    const isTool = more.length === 0 && call?.name === name, fits = call !== undefined && !call.invalid && isValid(call.name, call.arguments);
    if (isTool) called++;
    if (fits) valid++;
    const args = fits ? JSON.parse(call.arguments) as Record<string, unknown> : {};
    if (isTool && fits && Object.entries(needed).every(([key, value]) => has(args[key], value))) right++;
    else wrong.push(`  ${asked} → ${[call, ...more].map((one) => (one ? `${one.name} ${one.arguments}` : said)).join(' | ').slice(0, 160)}`);
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`${held ? 'held to the schemas' : 'free'}: ${right} of ${questions.length} right; the right tool ${called}, valid arguments ${valid}; `
    + `${tokens} tokens, ${seconds.toFixed(0)} s`);
  for (const line of wrong) console.log(line);
}
model.close();

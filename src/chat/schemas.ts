/** Tools as they are handed in, checked, with their JSON schemas. */
import { InputError } from '../errors.ts';
import { checkNames, show } from '../options.ts';
import { jsonOf } from './json.ts';
import type { JsonSchema, ToolDefinition } from './types.ts';

/** A tool whose schema is known. */
export interface Tool {
  readonly name: string;
  readonly description: string | undefined;
  readonly parameters: JsonSchema;
}

const wrong = (subject: string, found: string, expected: string, remedy: string): InputError =>
  new InputError('E_OPTION', { subject, found, expected, remedy });

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws InputError `E_OPTION` for what is no tool, two of one name, a schema that is no object's */
export function readTools(tools: readonly ToolDefinition[]): Tool[] {
  if (!Array.isArray(tools)) throw wrong('tools', show(tools), 'a list of { name, description, parameters }', 'Pass a list.');
  const names = new Set<string>();
  return tools.map((tool: ToolDefinition, i) => {
    checkNames(`tools[${i}]`, tool, ['name', 'description', 'parameters', 'execute']);
    const { name, description, parameters } = tool;
    if (typeof name !== 'string' || !/^[\w.-]{1,128}$/.test(name)) {
      throw wrong(`tools[${i}].name`, show(name), 'letters, digits, _, - and ., at most 128', 'Give it such a name.');
    }
    if (names.has(name)) throw wrong('tools', `two of the name ${name}`, 'a name for each', 'Rename one.');
    names.add(name);
    if (description !== undefined && typeof description !== 'string') {
      throw wrong(`tools[${i}].description`, show(description), 'a text', 'Leave it out, or describe the tool.');
    }
    const schema = schemaOf(parameters ?? { type: 'object', properties: {} }, `parameters of tool ${name}`);
    return { name, description, parameters: objectSchema(schema, name) };
  });
}

/** A library's schema, as far as it tells its JSON schema. */
interface Library {
  '~standard'?: { jsonSchema?: { input?: (options: { target: string }) => unknown } };
  toJSONSchema?: () => unknown;
}

/** The JSON schema of what may be a library's. @throws InputError `E_OPTION` */
export function schemaOf(given: unknown, subject: string): JsonSchema {
  const library = given as Library;
  if ((typeof given === 'object' || typeof given === 'function') && given !== null) { // schemas of some libraries are functions
    const { '~standard': standard } = library;
    let made: unknown = given;
    try {
      if (typeof standard?.jsonSchema?.input === 'function') made = standard.jsonSchema.input({ target: 'draft-2020-12' });
      else if (typeof library.toJSONSchema === 'function') made = library.toJSONSchema();
      else if (standard !== undefined) made = undefined;
    } catch (cause) {
      throw new InputError('E_OPTION', {
        subject, found: `a schema that its library cannot tell as JSON schema: ${String(cause)}`, expected: 'one that it can',
        remedy: 'Use types that JSON schema has.', cause,
      });
    }
    if (made === undefined) {
      const found = 'a schema whose library does not tell its JSON schema';
      throw wrong(subject, found, 'a JSON schema', 'Pass the JSON schema, as z.toJSONSchema(schema) gives it.');
    }
    if (isObject(made)) return JSON.parse(jsonOf(made, subject)) as JsonSchema; // what JSON has not is refused now, not by a template
  }
  throw wrong(subject, show(given), 'a JSON schema: an object', 'Pass { type: \'object\', properties: { … } }.');
}

/** Arguments are an object: a schema that says nothing of its type is one of an object. */
function objectSchema(schema: JsonSchema, name: string): JsonSchema {
  const { type, properties, required } = schema, subject = `parameters of tool ${name}`;
  if (type !== undefined && type !== 'object') {
    throw wrong(subject, `type ${show(type)}`, 'type "object"', 'Arguments have names: wrap it in an object.');
  }
  if (properties !== undefined && !isObject(properties)) {
    throw wrong(`${subject}: properties`, show(properties), 'an object', 'Name each parameter and give its schema.');
  }
  if (required !== undefined && !(Array.isArray(required) && required.every((one) => typeof one === 'string'))) {
    throw wrong(`${subject}: required`, show(required), 'a list of names', 'Name parameters.');
  }
  const elsewhere = ['$ref', 'anyOf', 'oneOf', 'allOf'].some((name) => schema[name] !== undefined);
  if (elsewhere) return schema;
  // templates read the properties of every tool; where none are told any are meant
  return { type: 'object', properties: {}, ...(properties === undefined ? { additionalProperties: true } : {}), ...schema };
}

/** What arguments are held to: a tool has the parameters that it tells, and no others, as with llama.cpp. */
export const closed = (schema: JsonSchema): JsonSchema =>
  (schema.properties !== undefined && schema.additionalProperties === undefined ? { ...schema, additionalProperties: false } : schema);

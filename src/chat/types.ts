/** What a chat request asks for, and the parts that its answer comes in. */
import type { ChatMessage, GeneratedToken, GenerateOptions, GenerationStats, TemplateInput } from 'clada';

/** A JSON schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A JSON schema, or a library's schema that can tell its own: of zod from 4.2 on and whatever else speaks Standard JSON Schema
 * (`schema['~standard'].jsonSchema`), or has a `toJSONSchema()`.
 */
export type ToolSchema = JsonSchema | { readonly '~standard': unknown } | { toJSONSchema(): unknown };

/** A function that the model may call. */
export interface ToolDefinition {
  /** What the model calls it by: letters, digits, `_`, `-` and `.`. */
  readonly name: string;
  /** When to call it, and what it does. */
  readonly description?: string | undefined;
  /** Schema of its arguments: an object's. Default: none. */
  readonly parameters?: ToolSchema | undefined;
}

/** Whether tools are called: as the model likes, never, at least one, or the one that is named. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/** The form that the answer must have. */
export type ResponseFormat =
  | { readonly type: 'text' }
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: JsonSchema | boolean }
  /** A grammar in llama.cpp's GBNF. */
  | { readonly type: 'gbnf'; readonly grammar: string }
  | { readonly type: 'regex'; readonly pattern: string };

/** A turn of a conversation that nobody keeps: all of it is in `messages`, and what the cache holds of it is not computed again. */
export interface ChatRequest extends GenerateOptions {
  /** As OpenAI's: `tool_calls` of the assistant (their arguments as text or as objects), `tool` messages with `tool_call_id`. */
  readonly messages: readonly ChatMessage[];
  /** What the model may call. */
  readonly tools?: readonly ToolDefinition[] | undefined;
  /** Default 'auto' where there are tools. 'none': the model is not told of them. */
  readonly toolChoice?: ToolChoice | undefined;
  /** More than one call in an answer. Default true. */
  readonly parallelToolCalls?: boolean | undefined;
  /** Arguments of calls are held to their schemas while they are written. Default true. */
  readonly constrainTools?: boolean | undefined;
  /** Default: text. Not together with tools that may be called. */
  readonly responseFormat?: ResponseFormat | undefined;
  /** What the template reads besides: `{ variables: { enable_thinking: false } }`. */
  readonly template?: Omit<TemplateInput, 'tools'> | undefined;
}

/** A call that the model has asked for. */
export interface ToolCall {
  /** Its own, for the message that brings its result. */
  readonly id: string;
  /** Of the tool. */
  readonly name: string;
  /** JSON text; valid against the tool's schema where it was constrained by it. */
  readonly arguments: string;
  /** Why it cannot be run: there is no such tool, its arguments are no JSON object. Absent: it can. */
  readonly invalid?: string;
}

/** Why an answer ended. */
export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'error';

/** A piece of an answer, in the order in which it becomes certain. */
export type ChatPart =
  /** `tokens`: those that the piece is made of, where they are known. */
  | { readonly type: 'text' | 'reasoning'; readonly text: string; readonly tokens: readonly GeneratedToken[] }
  | { readonly type: 'tool-call-start'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool-call-delta'; readonly index: number; readonly id: string; readonly arguments: string }
  /** It is whole. One that was cut off (`reason` 'length') has no such part. */
  | { readonly type: 'tool-call'; readonly index: number; readonly call: ToolCall }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly stats: GenerationStats };

/** The whole of an answer. */
export interface ChatResult {
  /** The answer, without thoughts and calls. */
  readonly text: string;
  /** What the model thought before (`<think>`); '' where it did not. */
  readonly reasoning: string;
  /** In their order. */
  readonly toolCalls: readonly ToolCall[];
  /** Why it ended. */
  readonly reason: FinishReason;
  /** What it took. */
  readonly stats: GenerationStats;
}

/** What a chat request asks for, and the parts that its answer comes in. */
import type { ChatMessage, GeneratedToken, GenerateOptions, GenerationStats, TemplateInput } from 'clada';

/** A function that the model may call. */
export interface ToolDefinition {
  /** What the model calls it by. */
  readonly name: string;
  /** When to call it, and what it does. */
  readonly description?: string;
  /** JSON schema of its arguments: an object's. Default: none. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Whether tools are called: as the model likes, never, at least one, or the one that is named. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/** The form that the answer must have. */
export type ResponseFormat =
  | { readonly type: 'text' }
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: Readonly<Record<string, unknown>> | boolean }
  /** A grammar in llama.cpp's GBNF. */
  | { readonly type: 'gbnf'; readonly grammar: string }
  | { readonly type: 'regex'; readonly pattern: string };

/** A turn of a conversation that nobody keeps: all of it is in `messages`, and what the cache holds of it is not computed again. */
export interface ChatRequest extends GenerateOptions {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly ToolDefinition[];
  /** Default 'auto' where there are tools. */
  readonly toolChoice?: ToolChoice;
  /** More than one call in an answer. Default true. */
  readonly parallelToolCalls?: boolean;
  /** Default: text. Not together with tools that may be called. */
  readonly responseFormat?: ResponseFormat;
  /** What the template reads besides: `{ variables: { enable_thinking: false } }`. */
  readonly template?: Omit<TemplateInput, 'tools'>;
}

/** A call that the model has asked for. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, as it was written; valid against the tool's schema. */
  readonly arguments: string;
}

/** Why an answer ended. */
export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'error';

/** A piece of an answer, in the order in which it becomes certain. */
export type ChatPart =
  /** `tokens`: those that the piece is made of, where they are known. */
  | { readonly type: 'text' | 'reasoning'; readonly text: string; readonly tokens: readonly GeneratedToken[] }
  | { readonly type: 'tool-call-start'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'tool-call-delta'; readonly index: number; readonly id: string; readonly arguments: string }
  | { readonly type: 'tool-call'; readonly index: number; readonly call: ToolCall }
  | { readonly type: 'finish'; readonly reason: FinishReason; readonly stats: GenerationStats };

/** The whole of an answer. */
export interface ChatResult {
  readonly text: string;
  /** What the model thought before (`<think>`); '' where it did not. */
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly reason: FinishReason;
  readonly stats: GenerationStats;
}

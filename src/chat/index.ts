/** clada/chat: answers to chat requests, part by part. */
export { ChatResponse, respond } from './respond.ts';
export type {
  ChatPart, ChatRequest, ChatResult, FinishReason, JsonSchema, ResponseFormat, ToolCall, ToolChoice, ToolDefinition, ToolSchema,
} from './types.ts';

/** clada/chat: answers to chat requests, part by part. */
export { ChatResponse, respond } from './respond.ts';
export type {
  ChatPart, ChatRequest, ChatResult, FinishReason, ResponseFormat, ToolCall, ToolChoice, ToolDefinition,
} from './types.ts';

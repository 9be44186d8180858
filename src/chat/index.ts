/** clada/chat: answers to chat requests, part by part; tools, and the loop that runs them. */
export { constraintsOf } from './request.ts';
export { ChatResponse, respond } from './respond.ts';
export { runTools, ToolRun } from './loop.ts';
export type { RunnableTool, ToolContext, ToolResult, ToolRunPart, ToolRunRequest, ToolRunResult, ToolStep } from './loop.ts';
export type {
  ChatPart, ChatRequest, ChatResult, FinishReason, JsonSchema, ResponseFormat, ToolCall, ToolChoice, ToolDefinition, ToolSchema,
} from './types.ts';

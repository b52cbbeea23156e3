export { messageAttributes, messageBody, shortened, turnId } from './message.ts';
export type { Health, ToldHealth } from './message.ts';
export { webhookHeaders } from './signature.ts';
export type { SignedMessage } from './signature.ts';
export { postSigned } from './webhook.ts';
export type { WebhookReceiver } from './webhook.ts';

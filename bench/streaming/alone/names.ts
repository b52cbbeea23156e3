/** Names in the Pub/Sub of contenders that need nothing else. */
export const PROJECT_ID = 'cupel-bench';
export const TOPIC = 'load';
export const SUBSCRIPTION = 'load-all';

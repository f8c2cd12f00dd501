/**
 * subscriptions – who asked to be told, what happened that is to be told, and how it is brought there: R4's criteria and topics.
 * It must never know: HTTP requests of ours, tokens, how a store works; what a grant stands for it is told by `standing`.
 * The one idea: a cursor into the ledgers within reach moves with the numbered events, and events are over only when acknowledged.
 * Its data: sealed documents `subscriptions`. Decisions: README.md beside this file.
 */
export type { EventsAsked } from './desk.ts'
export { openFetch } from './fetch.ts'
export { openSubscriptions, type Subscriptions, type SubscriptionsOptions } from './subscriptions.ts'
export type { Content } from './wanted.ts'

import type { Route } from '../types.ts'
import {
  bindingParameters,
  bindingTokenOfAll,
  bindingTokenOfOne,
  events,
  eventsParameters,
  signingKey,
  statusOfAll,
  statusOfOne,
  statusParameters,
  topic,
  topics,
} from './subscriptions.ts'

/** What is asked about Subscriptions; they themselves are written and read as every resource is. */
// biome-ignore format: a table is read by its columns
export const subscriptionRows: readonly Route[] = [
  { method: 'GET', path: '/Subscription/$status', interaction: '$status', verb: 'none', query: statusParameters, summary: 'How your Subscriptions stand', handler: statusOfAll },
  { method: 'POST', path: '/Subscription/$status', interaction: '$status', verb: 'none', query: statusParameters, bodyOptional: true, summary: 'How your Subscriptions stand, asked by Parameters', handler: statusOfAll },
  { method: 'GET', path: '/Subscription/:id/$status', interaction: '$status', verb: 'none', query: statusParameters, summary: 'How a Subscription stands', handler: statusOfOne },
  { method: 'POST', path: '/Subscription/:id/$status', interaction: '$status', verb: 'none', query: statusParameters, bodyOptional: true, summary: 'How a Subscription stands, asked by Parameters', handler: statusOfOne },
  { method: 'GET', path: '/Subscription/:id/$events', interaction: '$events', verb: 'none', query: eventsParameters, summary: 'What a Subscription has told of, or should have', handler: events },
  { method: 'POST', path: '/Subscription/:id/$events', interaction: '$events', verb: 'none', query: eventsParameters, bodyOptional: true, summary: 'What a Subscription has told of, or should have, asked by Parameters', handler: events },
  { method: 'GET', path: '/Subscription/:id/$signing-key', interaction: '$signing-key', verb: 'none', summary: 'The key with which messages to the endpoint are signed', handler: signingKey },
  { method: 'GET', path: '/Subscription/$get-ws-binding-token', interaction: '$get-ws-binding-token', verb: 'none', query: bindingParameters, summary: 'A token with which a websocket is bound to Subscriptions', handler: bindingTokenOfAll },
  { method: 'POST', path: '/Subscription/$get-ws-binding-token', interaction: '$get-ws-binding-token', verb: 'none', query: bindingParameters, bodyOptional: true, summary: 'A token with which a websocket is bound to Subscriptions, asked by Parameters', handler: bindingTokenOfAll },
  { method: 'GET', path: '/Subscription/:id/$get-ws-binding-token', interaction: '$get-ws-binding-token', verb: 'none', query: bindingParameters, summary: 'A token with which a websocket is bound to a Subscription', handler: bindingTokenOfOne },
  { method: 'POST', path: '/Subscription/:id/$get-ws-binding-token', interaction: '$get-ws-binding-token', verb: 'none', query: bindingParameters, bodyOptional: true, summary: 'A token with which a websocket is bound to a Subscription, asked by Parameters', handler: bindingTokenOfOne },
  { method: 'GET', path: '/SubscriptionTopic', interaction: 'search-topics', verb: 'none', query: ['url'], summary: 'The topics to which one can subscribe', handler: topics },
  { method: 'GET', path: '/SubscriptionTopic/:id', interaction: 'read-topic', verb: 'none', summary: 'A topic to which one can subscribe', handler: topic },
]

/**
 * share – SMART Health Links: create a sealed copy of part of one patient's record, open it, revoke it.
 * It must never know: accounts, sessions, the FHIR API; who a bearer is it asks `authenticate`.
 * The one idea: the key is in the link and nowhere else, so what lies here can be handed out but not read.
 * Its data: sealed documents `share.links` and `share.content`. Decisions: README.md beside this file.
 */
export type { LinkState, LinkSummary } from './links.ts'
export type { CreatedLink, LinkRequest, Management } from './management.ts'
export { openShare, type Share, type ShareOptions } from './share.ts'

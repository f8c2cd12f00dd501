/**
 * smart – the authorisation server: accounts, login, consent, apps, tokens; SMART App Launch 2.2 over OAuth 2.0.
 * It must never know: what is in a record beyond a Patient's name, how FHIR is served, which web framework carries it.
 * The one idea: a token is a random text whose keyed hash finds a sealed document, and deleting that document ends it.
 * Its data: sealed documents in the collections `smart.*`. Decisions: README.md beside this file.
 */

export type { ProviderSettings } from './accounts/provider-protocol.ts'
export type { ClientSummary } from './clients/administration.ts'
export type { AuthMethod, GrantType } from './clients/clients.ts'
export type { Fetch } from './clients/key-set-fetcher.ts'
export type { MintOptions } from './mint.ts'
export type { AccountEnds, GuardianLeft, Recovery, SmartOptions } from './parts.ts'
export { type AccountSummary, type DeletionSummary, openSmart, type Smart } from './smart.ts'

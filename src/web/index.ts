/**
 * web – what rooms and the web say to each other: requests, answers, rows of routes, and the pages that people see.
 * It must never know: Express, sockets of its own, accounts, records; who asks or what they may.
 * The one idea: a room gives rows that say what they take, answer and ask for; `http` carries them, and describes them from the same rows.
 * Its data: none. Decisions: README.md beside this file.
 */
export { isLoopback, isPlain, isPublicUrl, parseUrl } from './addresses.ts'
export { faultAnswer, faultNote, faultPage } from './fault.ts'
export { Forbidden, type Guarded, openGuard } from './guard.ts'
export { type FetchInit, type GuardedFetch, openGuardedFetch } from './guarded-fetch.ts'
export { html, Markup } from './html.ts'
export { type Page, pageResponse } from './layout.ts'
export { isNetwork, isPublicAddress, isShared, isWithin, networkOf } from './networks.ts'
export { prefersPage } from './prefers-page.ts'
export {
  type Access,
  type Form,
  jsonResponse,
  type Readers,
  redirectResponse,
  type WebRequest,
  type WebResponse,
  type WebRoute,
} from './route.ts'
export { type Script, scriptResponse, toScript } from './script.ts'

/**
 * http – the web face: Express, tokens, limits, headers, the one error path, and a server that closes in good order.
 * It must never know: how anything is stored, sealed or searched; it asks `interactions` and `smart`, and sends what they say.
 * The one idea: FHIR requests pass one function and the catalogue's matcher, everything else is an ordinary Express route.
 * Its data: none.
 * Decisions: src/http/README.md.
 */

export type { CountSheet, SharedCounts } from './admission/limits.ts'
export { type App, type AppRooms, createApp, type HttpConfig } from './app.ts'
export type { FiguresOfAll } from './metrics/exposition.ts'
export { createServer, type Listening, listen } from './server.ts'

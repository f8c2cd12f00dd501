/**
 * mllp – HL7 v2 over MLLP, as hospitals speak it: a listener that hands messages on to a server over HTTP.
 * It must never know: keys, records, what a message says beyond the header by which it is answered.
 * The one idea: a port is a client of the server like any other, with a token of its own; nothing is acknowledged that the server has not.
 * Its data: none. Decisions: README.md beside this file.
 */
export { type Delivery, deliver } from './deliver.ts'
export { type Listener, type ListenerOptions, listenMllp } from './listener.ts'
export { type ListenerSettings, parseListeners, type TlsSettings } from './settings.ts'

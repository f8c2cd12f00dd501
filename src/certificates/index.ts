/**
 * certificates – TLS of one's own: a local authority, certificates of servers and clients, and their renewal.
 * It must never know: FHIR, records, the vault's keys; what is said over the connections that it secures.
 * The one idea: an authority that can only speak for this house's names and for private networks is safe to trust on a phone.
 * Its data: PEM files in one folder. Decisions: README.md beside this file.
 */
export { type Authority, authorityIn } from './authority.ts'
export { type Client, issueClient } from './client-certificate.ts'
export { type Certified, namesOf } from './issue.ts'
export { lanAddresses } from './names.ts'
export { openFiles, openOwn, type TlsFiles, type TlsSource } from './source.ts'

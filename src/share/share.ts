import type { Grant } from '#access'
import { type Clock, type Log, newSecret, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Documents, Vault } from '#vault'
import type { WebRoute } from '#web'
import { openLinks } from './links.ts'
import { type Management, openManagement } from './management.ts'
import { openOpening } from './opening.ts'
import { routesOf } from './routes.ts'
import { openSealedFiles } from './sealed-file.ts'
import { longestUrl } from './shlink.ts'

/** What the room is opened on. */
export interface ShareOptions {
  readonly record: PatientRecord
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** Origin under which strangers reach this server, without a slash at its end; at most 78 characters. */
  readonly baseUrl: string
  /** Who a bearer token is; throws Problem `unauthenticated`. */
  authenticate(bearer: string): Promise<Grant>
}

/** Links to sealed copies of parts of a record. */
export interface Share extends Management {
  /** To be mounted at the origin: the protocol for viewers, and the management for bearers. */
  readonly routes: readonly WebRoute[]
  /** Removes a patient's links, with their content and their names: the patient is erased. */
  forgetPatient(patient: string): Promise<void>
  /**
   * Ends the links to a patient, or all, that an account, or an app in its name, has given away: it keeps the patient no more, or is
   * deleted.
   */
  endLinksOf(account: string, patient?: string): Promise<void>
}

function checkOrigin(baseUrl: string): void {
  if (`${baseUrl}/share/`.length + newSecret().length > longestUrl)
    throw new Problem('invalid', 'share.base-url-too-long', 'Links need an origin of at most 78 characters.', {
      expression: 'baseUrl',
    })
}

/**
 * Opens the room.
 *
 * @throws Problem `invalid` · `share.base-url-too-long`
 */
export function openShare(options: ShareOptions): Share {
  const { record, documents, vault, clock, log } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  checkOrigin(baseUrl)
  const kept = { links: openLinks({ documents, clock }), files: openSealedFiles(documents), record, vault, clock }
  const management = openManagement({ ...kept, baseUrl })
  const opening = openOpening({ ...kept, log })
  return {
    create: request => management.create(request),
    list: grant => management.list(grant),
    revoke: request => management.revoke(request),
    async forgetPatient(patient) {
      for (const { id, link } of await kept.links.list(patient)) {
        await kept.files.drop(id, link.pieces)
        await kept.links.remove(id)
      }
    },
    async endLinksOf(account, patient) {
      for (const { id, link } of await kept.links.list(patient)) {
        if (link.creator.kind !== 'account' || link.creator.id !== account) continue
        await kept.links.markRevoked(id)
        await kept.files.drop(id, link.pieces)
      }
    },
    routes: routesOf({ management, opening, baseUrl, authenticate: bearer => options.authenticate(bearer) }),
  }
}

import { CompactEncrypt } from 'jose'
import type { Documents } from '#vault'

/** Media type of the one file that a link carries. */
export const contentType = 'application/fhir+json'

const collection = 'share.content'
/** Characters of a JWE in one document. */
const pieceLength = 256 * 1024

/**
 * The content under the link's key, as a compact JWE. Not compressed: viewers in use fail on `zip`.
 *
 * @param key  32 bytes; it is used for this one message
 */
export function encryptForLink(content: Uint8Array, key: Uint8Array): Promise<string> {
  return new CompactEncrypt(content).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', cty: contentType }).encrypt(key)
}

/** Where the encrypted files lie: pieces in sealed documents, which vanish when the link expires. */
export interface SealedFiles {
  /** Resolves to the number of pieces. They are kept in the group of the patient, with whom they are erased. */
  put(id: string, jwe: string, of: { readonly patient: string; readonly expiresAtMs: number }): Promise<number>
  /** Undefined when a piece is gone: the link was revoked or expired meanwhile. */
  get(id: string, pieces: number): Promise<string | undefined>
  drop(id: string, pieces: number): Promise<void>
}

export function openSealedFiles(documents: Documents): SealedFiles {
  const nameOf = (id: string, at: number) => `${id}/${at}`
  return {
    async put(id, jwe, { patient, expiresAtMs }) {
      const pieces = Math.ceil(jwe.length / pieceLength)
      for (let at = 0; at < pieces; at++) {
        const piece = jwe.slice(at * pieceLength, (at + 1) * pieceLength)
        await documents.put(collection, nameOf(id, at), piece, { ifRevision: 0, group: patient, expiresAtMs })
      }
      return pieces
    },

    async get(id, pieces) {
      const found: string[] = []
      for (let at = 0; at < pieces; at++) {
        const piece = await documents.get<string>(collection, nameOf(id, at))
        if (piece === undefined) return undefined
        found.push(piece.value)
      }
      return found.join('')
    },

    async drop(id, pieces) {
      for (let at = 0; at < pieces; at++) await documents.delete(collection, nameOf(id, at))
    },
  }
}

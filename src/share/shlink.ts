import { base64url } from 'jose'
import { toUtf8 } from '#kernel'

/** What a link says of itself, before it is encoded. */
export interface LinkPayload {
  /** Manifest address, or with `direct` the address of the file; at most 128 characters. */
  readonly url: string
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly expiresAtMs: number
  readonly direct: boolean
  readonly passcode: boolean
  /** At most 80 characters. */
  readonly label?: string
}

/** Longest `url` of a payload. */
export const longestUrl = 128

/** `U` (direct) and `P` (passcode) exclude each other; `L` is never set, since the content never changes. */
function flagOf({ direct, passcode }: LinkPayload): { readonly flag?: string } {
  if (direct) return { flag: 'U' }
  return passcode ? { flag: 'P' } : {}
}

/**
 * The bare link, `shlink:/` and the base64url of a minified JSON; `exp` is in seconds.
 *
 * @see https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html#construct-a-smart-health-link-payload
 */
export function printShlink(payload: LinkPayload): string {
  const { url, key, expiresAtMs, label } = payload
  const json = JSON.stringify({
    url,
    ...flagOf(payload),
    key: base64url.encode(key),
    exp: Math.floor(expiresAtMs / 1000),
    ...(label === undefined ? {} : { label }),
    v: 1,
  })
  return `shlink:/${base64url.encode(toUtf8(json))}`
}

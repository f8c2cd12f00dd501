import { parseCookie, stringifySetCookie } from 'cookie'
import type { WebRequest } from '#web'

/** What our cookies hold: random text, sometimes with keyed hashes behind dots. */
const valueForm = /^[A-Za-z0-9_.-]{43,150}$/

/** A cookie of ours, as the browser sent it; undefined for one that is absent or was not made here. */
export function readCookie(request: WebRequest, name: string): string | undefined {
  // Nothing of ours is encoded, so nothing is decoded.
  const value = parseCookie(request.header('cookie') ?? '', { decode: text => text })[name]
  return value !== undefined && valueForm.test(value) ? value : undefined
}

/**
 * A Set-Cookie value. Scripts cannot read it, and other sites' requests carry it only when they lead a person here.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6265
 */
export function printCookie(
  name: string,
  value: string,
  { lifeMs, secure }: { readonly lifeMs: number; readonly secure: boolean },
): string {
  return stringifySetCookie({ name, value, path: '/', maxAge: lifeMs / 1000, httpOnly: true, sameSite: 'lax', secure })
}

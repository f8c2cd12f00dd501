import { parseCookie, stringifySetCookie } from 'cookie'
import type { WebRequest, WebResponse } from '#web'

/** What our cookies hold: random text, sometimes with keyed hashes behind dots. */
const valueForm = /^[A-Za-z0-9_.-]{43,150}$/

/** What is sealed into a cookie. */
const longForm = /^[A-Za-z0-9_-]{43,4096}$/

/** What our cookies are called: where all goes by https, as browsers let nobody else make them. */
export function cookieName(baseUrl: string): string {
  return baseUrl.startsWith('https:') ? '__Host-kinhold' : 'kinhold'
}

function read(request: WebRequest, name: string, form: RegExp): string | undefined {
  // Nothing of ours is encoded, so nothing is decoded.
  const value = parseCookie(request.header('cookie') ?? '', { decode: text => text })[name]
  return value !== undefined && form.test(value) ? value : undefined
}

/** A cookie of ours, as the browser sent it; undefined for one that is absent or was not made here. */
export function readCookie(request: WebRequest, name: string): string | undefined {
  return read(request, name, valueForm)
}

/** The same of one that holds what was sealed. */
export function readLongCookie(request: WebRequest, name: string): string | undefined {
  return read(request, name, longForm)
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

/** The same answer, which sets one more cookie. */
export function alsoSetting(response: WebResponse, cookie: string): WebResponse {
  const { 'Set-Cookie': set = [], ...headers } = response.headers
  return { ...response, headers: { ...headers, 'Set-Cookie': [...[set].flat(), cookie] } }
}

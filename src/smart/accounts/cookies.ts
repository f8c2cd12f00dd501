import type { WebRequest } from '#web'

/** What our cookies hold: random text, sometimes with a keyed hash behind a dot. */
const valueForm = /^[A-Za-z0-9_.-]{43,100}$/

/** A cookie of ours, as the browser sent it; undefined for one that is absent or was not made here. */
export function readCookie(request: WebRequest, name: string): string | undefined {
  for (const pair of request.header('cookie')?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name && value !== undefined && valueForm.test(value)) return value
  }
  return undefined
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
  return `${name}=${value}; Path=/; Max-Age=${lifeMs / 1000}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}

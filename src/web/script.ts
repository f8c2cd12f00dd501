import { createHash } from 'node:crypto'
import type { WebResponse } from './route.ts'

/** A script of ours that pages name: its path holds its hash, so that a page never meets another script than it was made with. */
export interface Script {
  /** Path from the origin. */
  readonly path: string
  /** What browsers compare the file with: https://www.w3.org/TR/SRI/#the-integrity-attribute */
  readonly integrity: string
  readonly text: string
}

/** @param path  without the hash and `.js`, e.g. `/auth/passkeys` */
export function toScript(path: string, text: string): Script {
  const hash = createHash('sha256').update(text).digest()
  return { path: `${path}-${hash.toString('hex', 0, 8)}.js`, integrity: `sha256-${hash.toString('base64')}`, text }
}

/** The file itself, which browsers may keep for good; nobody else's page may use it. */
export function scriptResponse({ text }: Script): WebResponse {
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/javascript; charset=utf-8',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
      'X-Content-Type-Options': 'nosniff',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'public, max-age=31536000, immutable',
    },
    body: text,
  }
}

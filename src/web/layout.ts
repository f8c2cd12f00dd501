import { createHash } from 'node:crypto'
import { html, Markup } from './html.ts'
import { neverStore, type WebResponse } from './route.ts'
import type { Script } from './script.ts'

const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#f3f4f6;--line:#6b7280;--act:#0b5c8a;--bad:#a4161a}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--paper:#16191d;--soft:#22272e;--line:#8b949e;--act:#7cc4f0;--bad:#ff8f8f}}
*{box-sizing:border-box}
body{margin:0;font:1.0625rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:40rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem}
label{display:block;margin:.35rem 0}label.field{font-weight:600;margin-top:1rem}
input[type=text],input[type=password],input[type=date],select{font:inherit;width:100%;padding:.6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit}
input[type=checkbox],input[type=radio]{width:1.15rem;height:1.15rem;vertical-align:-.15rem;margin-right:.5rem}
fieldset{border:1px solid var(--line);border-radius:.5rem;margin:1rem 0;padding:.75rem 1rem}
legend{font-weight:600;padding:0 .4rem}
details{margin:.5rem 0}.inner{margin-left:1.65rem}
button{font:inherit;font-weight:600;padding:.65rem 1.2rem;border-radius:.4rem;border:2px solid var(--act);background:var(--act);color:var(--paper);margin:.5rem .5rem .5rem 0;cursor:pointer}
button.plain{background:var(--paper);color:var(--act)}
:focus-visible{outline:3px solid var(--act);outline-offset:2px}
.note{background:var(--soft);border-left:4px solid var(--act);padding:.6rem .9rem;margin:1rem 0}
.error{background:var(--soft);border-left:4px solid var(--bad);padding:.6rem .9rem;margin:1rem 0}
.secret code{display:block;font-size:1.35rem;letter-spacing:.05em;padding:1rem;border:2px solid var(--line);border-radius:.5rem}
.links{padding-left:1.2rem}a{color:var(--act)}
.quiet{color:var(--line)}code{overflow-wrap:anywhere}
`

const styleHash = createHash('sha256').update(style).digest('base64')

/** Of a page with a script of ours: files of this server alone, and nothing that makes text into markup or code. */
const scripted: readonly string[] = ["script-src 'self'", "require-trusted-types-for 'script'"]

/**
 * No script but ours where a page has one, no picture, no frame, nothing from elsewhere. `formTargets` names where a form may lead,
 * including by the redirects that follow it: browsers apply `form-action` to those as well.
 */
function contentSecurityPolicy({ formTargets = [], script }: Page): string {
  return [
    "default-src 'none'",
    ...(script === undefined ? [] : scripted),
    `style-src 'sha256-${styleHash}'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** What a page is made of. */
export interface Page {
  readonly title: string
  readonly content: Markup
  readonly status?: number
  readonly formTargets?: readonly string[]
  /** What makes the page more comfortable; it works without. */
  readonly script?: Script | undefined
  readonly headers?: Readonly<Record<string, string | string[]>>
}

function scriptTag(script: Script | undefined): Markup {
  return script === undefined
    ? html``
    : html`<script src="${script.path}" integrity="${script.integrity}" defer></script>`
}

/** A whole HTML page with the headers that keep it from being framed, stored, scripted or told to others. */
export function pageResponse(page: Page): WebResponse {
  const document = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title} – Kinhold</title><style>${new Markup(style)}</style>${scriptTag(page.script)}</head>
<body><main><h1>${page.title}</h1>${page.content}</main></body></html>
`
  return {
    status: page.status ?? 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': contentSecurityPolicy(page),
      'X-Frame-Options': 'DENY',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      ...neverStore,
      ...page.headers,
    },
    body: document.text,
  }
}

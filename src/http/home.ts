import type { RequestHandler } from 'express'
import { html, pageResponse, prefersPage } from '#web'
import type { Readiness } from './health.ts'
import { lowerCased } from './security-headers.ts'

/** What the first page says of the server. */
export interface Home {
  readonly baseUrl: string
  readonly software: { readonly name: string; readonly version: string }
  readonly headers: Readonly<Record<string, string>>
  readiness(): Readiness
  /** Whether somebody can log in. */
  isClaimed(): Promise<boolean>
}

const unclaimed = html`<p class="note">Nobody owns this server yet. It shows a one-time address, <code>…/claim?code=…</code>, where it
was started: in the terminal, or in its log (<code>docker compose logs</code>). Whoever opens that address becomes the owner. Started
again, it shows the address again.</p>`

function homePage({ baseUrl, software, readiness }: Home, isClaimed: boolean) {
  return pageResponse({
    title: software.name,
    content: html`
<p>A family's health records, each encrypted with a key of its own. This server speaks FHIR R4, and apps reach it by SMART App
Launch: only those that somebody here has let in, and only for what was allowed.</p>
${!isClaimed && unclaimed}
<ul class="links">
<li><a href="/account">Your account</a>: the people whose data you keep, the apps with access, your password</li>
<li><a href="/docs/">API page</a>: every request this server answers, to be tried</li>
<li><a href="/fhir/metadata">CapabilityStatement</a> and <a href="/openapi.json">OpenAPI document</a>: the same for programs</li>
<li><a href="/readyz">Status</a>: ${readiness().status}</li>
</ul>
<p>To connect an app, give it this address: <code>${baseUrl}/fhir</code></p>
<p class="quiet">${software.name} ${software.version}</p>`,
  })
}

function homeDocument({ baseUrl, software }: Home, isClaimed: boolean) {
  return {
    name: software.name,
    version: software.version,
    fhir: `${baseUrl}/fhir`,
    metadata: `${baseUrl}/fhir/metadata`,
    smartConfiguration: `${baseUrl}/fhir/.well-known/smart-configuration`,
    openApi: `${baseUrl}/openapi.json`,
    docs: `${baseUrl}/docs/`,
    account: `${baseUrl}/account`,
    ready: `${baseUrl}/readyz`,
    claimed: isClaimed,
  }
}

/** GET `/`: a page for browsers, and for programs a document that leads on. */
export function homeHandler(home: Home): RequestHandler {
  return async (request, response) => {
    const isClaimed = await home.isClaimed()
    const page = prefersPage(request.headers.accept) ? homePage(home, isClaimed) : undefined
    const type = { 'content-type': 'application/json; charset=utf-8' }
    response.writeHead(200, { ...home.headers, ...(page === undefined ? type : lowerCased(page.headers)) })
    response.end(page === undefined ? JSON.stringify(homeDocument(home, isClaimed)) : page.body)
  }
}

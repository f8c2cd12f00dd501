import { html, type Markup, pageResponse, type WebResponse } from '#web'
import type { ProviderLink } from '../accounts/provider-links.ts'
import type { Provider } from '../accounts/providers.ts'
import { codeField, passwordField } from './second-factor.ts'

type Shown = Pick<Provider, 'n' | 'label'>

/** What the account page shows of providers. */
export interface LinksView {
  readonly providers: readonly Pick<Provider, 'n' | 'label' | 'kind' | 'issuer'>[]
  readonly links: readonly ProviderLink[]
  /** Whether a code is asked for beside the password. */
  readonly hasFactor: boolean
}

/** The ways to log in elsewhere. `request` waits for the login. */
export function providerForms(
  providers: readonly Shown[],
  csrf: string,
  request: string | undefined,
): readonly Markup[] {
  return providers.map(
    ({ n, label }) => html`<form method="post" action="/auth/login/provider/${n}">
<input type="hidden" name="csrf" value="${csrf}">
${request !== undefined && html`<input type="hidden" name="request" value="${request}">`}
<p><button type="submit" class="plain">Log in with ${label}</button></p>
</form>`,
  )
}

/**
 * The page from which a browser goes on to a provider by itself. A redirect would be an answer to a form, and where those may lead is
 * said in the policy of the page that holds it, while nobody but the provider knows where its own redirects go on to.
 *
 * @see https://www.w3.org/TR/CSP3/#directive-form-action
 */
export function departurePage({ url, label }: { readonly url: URL; readonly label: string }): WebResponse {
  return pageResponse({
    title: `On to ${label}`,
    headers: { Refresh: `0; url=${url.href}` },
    content: html`<p><a href="${url.href}">Go on to ${label}</a></p>`,
  })
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function entry({ id, kind, issuer, addedAtMs, usedAtMs, isOpen }: ProviderLink, view: LinksView, csrf: string): Markup {
  const provider = view.providers.find(each => each.kind === kind && each.issuer === issuer)
  const label = provider?.label ?? issuer
  const stray = !isOpen && html`<p class="note">Nobody can log in there for this server at the moment.</p>`
  return html`<fieldset><legend>${label}</legend>
${stray}<p>Since ${day(addedAtMs)}, ${usedAtMs === undefined ? 'not used yet' : html`last used on ${day(usedAtMs)}`}.</p>
<form method="post" action="/account/links/end">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="link" value="${id}" class="plain">End the link to ${label}</button>
</form></fieldset>`
}

function offer({ providers, hasFactor }: LinksView, csrf: string): Markup {
  return html`<details><summary>Link a login</summary>
<form method="post" action="/account/links">
<input type="hidden" name="csrf" value="${csrf}">
${passwordField('link-current')}${hasFactor && codeField('link-code', 'A code from your phone, or one from your paper')}
<p>${providers.map(({ n, label }) => html`<button type="submit" name="provider" value="${n}" class="plain">Link ${label}</button>`)}</p>
</form></details>`
}

/** The part of the account page about logins elsewhere; nothing where there are none. */
export function linkFields(view: LinksView, csrf: string): Markup {
  const { providers, links } = view
  if (providers.length === 0 && links.length === 0) return html``
  return html`<h2>Logins elsewhere</h2>
<p>Who logs in there as you logs in here, in place of your password; a code of the second step is still asked for. Your password goes on working.</p>
${links.map(link => entry(link, view, csrf))}
${providers.length > 0 && offer(view, csrf)}`
}

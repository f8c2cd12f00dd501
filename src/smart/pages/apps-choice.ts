import { html, type Markup } from '#web'

/** What a new password does to apps, passkeys and links, where it is chosen. */
export function appsChoice({ hasProviders }: { readonly hasProviders: boolean }): Markup {
  return html`<p>Every other browser is logged out then, and every app that was let in loses its access; passkeys
${hasProviders && 'and logins elsewhere '}log nobody in any more.</p>
<label><input type="checkbox" name="keep-apps" value="yes">Let apps keep their access – only if you are sure that nobody else knew the
old password</label>
<label><input type="checkbox" name="keep-passkeys" value="yes">Keep my passkeys – only if all of them are yours</label>
${hasProviders && html`<label><input type="checkbox" name="keep-links" value="yes">Keep my logins elsewhere – only if all of them are yours</label>`}`
}

import { html } from '#web'

/** What a new password does to the apps, where it is chosen. */
export const appsChoice = html`<p>Every other browser is logged out then, and every app that was let in loses its access.</p>
<label><input type="checkbox" name="keep-apps" value="yes">Let apps keep their access – only if you are sure that nobody else knew the
old password</label>`

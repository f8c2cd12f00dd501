import { html, type Markup } from '#web'
import { isLoopbackUri, isPrivateScheme } from '../clients/redirect-uris.ts'

/** Where an app would have a person sent, in words: `at app.example`, a site, or a program on the device in front of them. */
export function wordsOfTarget(redirectUri: string): Markup {
  const { protocol, host } = new URL(redirectUri)
  if (isPrivateScheme(redirectUri)) return html`as the app on your device that answers to <code>${protocol}</code>`
  if (isLoopbackUri(redirectUri)) return html`as a program on your device at <code>${host}</code>`
  return html`at <code>${host}</code>`
}

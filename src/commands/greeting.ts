import { tmpdir } from 'node:os'
import type { House } from '../compose.ts'
import type { Serving } from './serving.ts'

/** A full disk does not keep the house from being read, but whoever starts it should know. */
export function shortagesOf({ space, config }: House): string[] {
  const { shortage } = space
  if (shortage === undefined) return []
  const paths = { data: config.dataDirectory, keys: config.keysDirectory, temporary: tmpdir() }
  const words = shortage.fault === 'full' ? 'is full, or nearly so' : 'takes no writes'
  return [`${paths[shortage.folder]} ${words}: nothing new is taken in until somebody makes room there.`]
}

/** What is said to a person once a house is served: one text, so that whoever waits for the address finds the rest as well. */
export async function greetingOf({ url, authority }: Serving, { config, smart }: House): Promise<string> {
  const { baseUrl, recoveryCode } = config
  const lines = [`Kinhold listens on ${url}`, `  FHIR base   ${baseUrl}/fhir`, `  API page    ${baseUrl}/docs`]
  if (authority !== undefined) lines.push(`  Trust it    ${baseUrl}/ca`, `  SHA-256     ${authority.fingerprint}`)
  const claim = await smart.claimUrl()
  if (claim !== undefined)
    lines.push('', 'Nobody has claimed this server yet. Open this once, and keep it to yourself:', `  ${claim}`)
  if (recoveryCode !== undefined)
    lines.push('Opened with the recovery code: give the house a new root with kinhold recover.')
  return lines.join('\n')
}

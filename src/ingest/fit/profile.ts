import { isDate } from '#fhir'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { Part } from '../source/archive.ts'

/** A profile is some hundred bytes. */
const longest = 64 * 1024

/** Whether a file of a Takeout may be the profile of its account; what is in it decides. */
export function isProfile({ extension, sizeBytes }: Part): boolean {
  return extension === 'json' && sizeBytes <= longest
}

type Node = { readonly [name: string]: unknown }

/** Whose account it is, as the account's owner says; nothing when the file is no profile. */
export async function readProfile(part: Part): Promise<readonly PersonClaims[]> {
  const head = (await part.head(longest)).toString('utf8')
  if (!/"(?:formattedName|givenName|familyName)"\s*:/.test(head)) return []
  const profile = parsed(head)
  return profile === undefined ? [] : [claimsOf(patientOf(profile))]
}

function parsed(text: string): Node | undefined {
  try {
    return nodeOf(JSON.parse(text.replace(/^\uFEFF/, '')))
  } catch {
    return undefined // no profile, whatever else it is
  }
}

function nodeOf(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : undefined
}

function patientOf({ name, birthday, gender }: Node): Node {
  const { givenName, familyName, formattedName } = nodeOf(name) ?? {}
  const sex = nodeOf(gender)?.type ?? gender
  return {
    name: [
      {
        given: [givenName].filter(isText),
        ...(isText(familyName) ? { family: familyName } : {}),
        ...(isText(formattedName) ? { text: formattedName } : {}),
      },
    ],
    // Without a year it tells nobody apart.
    ...(isText(birthday) && isDate(birthday) && !birthday.startsWith('0000') ? { birthDate: birthday } : {}),
    ...(isText(sex) ? { gender: sex.toLowerCase() } : {}),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

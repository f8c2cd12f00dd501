import { readFile } from 'node:fs/promises'
import { Client } from 'fhir-kit-client'
import type { Resource } from '#fhir'
import { newSecret } from '#kernel'
import type { House } from '../../compose.ts'

/** The three of the demonstration, with the ids that the server gave them. */
export interface Family {
  readonly account: { readonly name: string; readonly password: string }
  readonly ownerToken: string
  readonly members: readonly Member[]
}

export interface Member {
  readonly role: 'grandmother' | 'parent' | 'child'
  readonly name: string
  readonly id: string
}

/** What an import did, for the table. */
export interface Imported {
  readonly what: string
  readonly into: string
  readonly rows: number
  readonly created: number
  readonly ok: boolean
}

const samples = new URL('../../../samples/', import.meta.url)
const tokenLifeMs = 3_600_000

const people = [
  { role: 'grandmother', given: 'Greta', gender: 'female', birthDate: '1951-03-12' },
  { role: 'parent', given: 'Anna', gender: 'female', birthDate: '1984-05-17' },
  { role: 'child', given: 'Mila', gender: 'female', birthDate: '2015-11-20' },
] as const

const files = [
  {
    what: 'FHIR R4 transaction bundle',
    file: 'grandmother.transaction.json',
    role: 'grandmother',
    type: 'application/fhir+json',
  },
  { what: 'Apple Health export.zip', file: 'apple-health-export.zip', role: 'parent', type: 'application/zip' },
  { what: 'Google Fit Takeout zip', file: 'google-fit-takeout.zip', role: 'child', type: 'application/zip' },
] as const

const messages = [
  { what: 'HL7 v2 ADT^A01', file: 'adt-a01.hl7' },
  { what: 'HL7 v2 ORU^R01', file: 'oru-r01.hl7' },
] as const

/** An account, and the three whom it takes in: over HTTP, as an app would. */
export async function takeInFamily(house: House, baseUrl: string): Promise<Family> {
  const account = { name: 'anna', password: newSecret(12) }
  const id = await house.smart.createAccount(account)
  const ownerToken = await house.smart.mint({ scope: 'user/*.cruds', account: id, ttlMs: tokenLifeMs })
  const client = fhirClient(baseUrl, ownerToken)
  const members: Member[] = []
  for (const { role, given, gender, birthDate } of people) {
    const body: Resource = {
      resourceType: 'Patient',
      name: [{ family: 'Lindqvist', given: [given] }],
      gender,
      birthDate,
    }
    const created = await client.create({ resourceType: 'Patient', body })
    members.push({ role, name: given, id: String(created.id) })
  }
  return { account, ownerToken, members }
}

/** Imports every bundled sample through the doors that phones and hospitals use. */
export async function importSamples(family: Family, baseUrl: string): Promise<Imported[]> {
  const imported: Imported[] = []
  for (const { what, file, role, type } of files) {
    const member = memberOf(family, role)
    const body = await readFile(new URL(file, samples))
    const answer = await send(`${baseUrl}/fhir/Patient/${member.id}/$ingest`, family.ownerToken, type, body)
    const report: Resource = JSON.parse(answer.text)
    const count = (name: string) => countIn(report, name)
    imported.push({ what, into: member.name, rows: count('rows'), created: count('created'), ok: answer.ok })
  }
  const { name } = memberOf(family, 'grandmother')
  for (const { what, file } of messages) {
    const body = await readFile(new URL(file, samples))
    const { ok, text } = await send(`${baseUrl}/hl7v2`, family.ownerToken, 'x-application/hl7-v2+er7', body)
    const accepted = ok && text.includes('MSA|AA')
    imported.push({ what, into: name, rows: 1, created: accepted ? 1 : 0, ok: accepted })
  }
  return imported
}

export function memberOf(family: Family, role: Member['role']): Member {
  const member = family.members.find(each => each.role === role)
  if (member === undefined) throw new TypeError('the family is not complete')
  return member
}

export function fhirClient(baseUrl: string, token: string): Client {
  return new Client({ baseUrl: `${baseUrl}/fhir`, bearerToken: token })
}

async function send(url: string, token: string, type: string, body: Buffer): Promise<{ ok: boolean; text: string }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': type }
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
  return { ok: answer.ok, text: await answer.text() }
}

/** A count of the import's report, which is a Parameters resource. */
function countIn(report: Resource, name: string): number {
  const parameters = (report.parameter ?? []) as { name: string; valueInteger?: number; valueDecimal?: number }[]
  const found = parameters.find(parameter => parameter.name === name)
  return found?.valueInteger ?? found?.valueDecimal ?? 0
}

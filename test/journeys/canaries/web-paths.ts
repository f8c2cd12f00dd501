/** Marks as names of accounts and apps, typed into the pages as a person would and sent as an app would. */
import type { Answer, Client } from '../server/client.ts'
import { expectStatus } from './fhir-paths.ts'
import type { Flock } from './flock.ts'

const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Claims the server under a marked name with a marked password, fails to log in, logs in, registers an app. */
export async function writeThroughPages(client: Client, flock: Flock, claimPath: string): Promise<void> {
  const [name, password] = [flock.name(), `${flock.name()}-${flock.value()}`]
  const code = new URL(claimPath, 'http://localhost').searchParams.get('code') ?? ''
  await submit(client, claimPath, { code, name, password, again: password }, '/claim')
  await submit(client, '/auth/login', { name: flock.name(), password: flock.name() })
  await submit(client, '/auth/login', { name, password: flock.name() })
  await submit(client, '/auth/login', { name, password })
  const metadata = {
    client_name: flock.name(),
    redirect_uris: [`https://${flock.name().toLowerCase()}.example/back`],
    contacts: [`${flock.name()}@example.org`],
    software_id: flock.code(),
    scope: 'patient/*.rs',
    token_endpoint_auth_method: 'none',
  }
  const json = { 'content-type': 'application/json' }
  await expectStatus(201, client.send({ method: 'POST', path: '/auth/register', headers: json, body: metadata }))
  const broken = { ...metadata, redirect_uris: [flock.name()], grant_types: [flock.name()] }
  await client.send({ method: 'POST', path: '/auth/register', headers: json, body: broken })
  await client.send({
    path: `/auth/authorize?client_id=${flock.code()}&state=${flock.code()}&redirect_uri=${flock.name()}`,
  })
  const grant = `grant_type=authorization_code&code=${flock.code()}&code_verifier=${flock.code()}&client_id=${flock.code()}`
  await client.send({ method: 'POST', path: '/auth/token', headers: form, body: grant })
  await client.send({ method: 'POST', path: '/auth/introspect', headers: form, body: `token=${flock.code()}` })
  await client.send({ method: 'POST', path: '/auth/revoke', headers: form, body: `token=${flock.code()}` })
}

/** Fills in the form of a page: its hidden fields and cookies as it gave them, and these. */
async function submit(
  client: Client,
  page: string,
  fields: Readonly<Record<string, string>>,
  to = page,
): Promise<Answer> {
  const shown = await client.send({ path: page })
  const cookie = [shown.headers['set-cookie'] ?? []]
    .flat()
    .map(one => one.split(';')[0])
    .join('; ')
  const hidden = shown.body.toString().matchAll(/<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)
  const filled = new URLSearchParams([
    ...[...hidden].map(([, name = '', value = '']) => [name, value]),
    ...Object.entries(fields),
  ])
  const answer = await client.send({
    method: 'POST',
    path: to,
    headers: { ...form, cookie, origin: 'http://localhost:8080' },
    body: filled.toString(),
  })
  if (answer.status >= 500) throw new Error(`${to} answered ${answer.status}`)
  return answer
}

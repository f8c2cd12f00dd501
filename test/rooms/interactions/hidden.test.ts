/** What is hidden within one's own reach, of a house that is kept in memory or in a file: https://hl7.org/fhir/R4/security.html */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryStore, openSqliteStore } from '#store'
import { hiddenWithinReach } from './hidden.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-hidden-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a house in memory', () => hiddenWithinReach(async () => openMemoryStore()))
describe('a house in a file', () => hiddenWithinReach(() => openSqliteStore({ path: join(folder, 'hidden.db') })))

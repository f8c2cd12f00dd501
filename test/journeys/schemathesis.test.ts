/** What the OpenAPI document says, tried by requests that another program makes of it: https://schemathesis.readthedocs.io */
import { newReachableHome } from './server/reachable-home.ts'
import { hasSchemathesis, schemathesis } from './server/schemathesis.ts'
import { type StartedHome, startHomeAt } from './server/started-home.ts'

/** By its own names. */
const asked = [
  '--phases=examples,fuzzing',
  '--max-examples=2',
  '--generation-deterministic',
  // How long this machine takes to make them says nothing.
  '--suppress-health-check=all',
  // Invariants, the forms of dates and what must exist are no part of a schema: what fulfils it may be refused.
  '--exclude-checks=positive_data_acceptance',
  // It has no way to write a message of HL7 v2.
  '--exclude-path=/hl7v2',
  '--no-color',
]

/** All operations but those of the types that families have least of, which are told by the same tables. */
const told = '/openapi.json?type=common'

describe('requests that are made from the OpenAPI document', () => {
  if (!hasSchemathesis) {
    it('are not made: there is no Schemathesis here', () => {
      expect(process.env.KINHOLD_TEST_SCHEMATHESIS).not.toBe('required')
      process.stderr.write('\n!!! NOT TRIED: requests made from the OpenAPI document; run .ci/run once\n\n')
    })
    return
  }

  let started: StartedHome
  beforeAll(async () => {
    started = await startHomeAt(await newReachableHome('schemathesis'))
  })
  afterAll(async () => {
    expect(await started.end()).toBe(0)
  })

  it('are answered as it says', async () => {
    const { home, server, token } = started
    const where = [`${server.url}${told}`, '--header', `Authorization: Bearer ${token}`]
    const { status, said } = await schemathesis(home.temporary, 'run', ...where, ...asked)
    expect([status, status === 0 ? '' : said]).toEqual([0, ''])
    expect(Number(/Tested: +(\d+)/.exec(said)?.[1])).toBeGreaterThan(200)
  })
})

import { parseResource } from '#fhir'
import { createValidator } from '#validation'

/** How often a definition or table is read from its text meanwhile. */
async function reading(work: () => Promise<unknown>): Promise<number> {
  const { parse } = JSON
  let read = 0
  JSON.parse = (...asked: Parameters<typeof parse>) => {
    read++
    return parse(...asked)
  }
  try {
    await work()
  } finally {
    JSON.parse = parse
  }
  return read
}

const first = parseResource(
  JSON.stringify({
    resourceType: 'Observation',
    status: 'final',
    category: [
      {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }],
      },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }], text: 'Heart rate' },
    subject: { reference: 'Patient/a' },
    effectiveDateTime: '2026-01-01T00:00:00Z',
    valueQuantity: { value: 1, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  }),
)

// One test, since what one validator has read stands for all of the process.
it('the first resource of a process finds the tables that it needs read before it came', async () => {
  const closed = createValidator()
  const closing = closed.close()
  expect(await reading(() => closed.prepare())).toBe(0)
  await closing
  const validator = createValidator()
  expect(await reading(() => validator.prepare())).toBeGreaterThan(0)
  expect(await reading(() => validator.validateSent(first))).toBe(0)
  await validator.close()
})

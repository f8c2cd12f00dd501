import { randomUUID } from 'node:crypto'
import { Directory } from '../../../src/record/registry/directory.ts'
import type { Registration } from '../../../src/record/registry/registration.ts'

const id = (number: number): string => number.toString(16).padStart(8, '0').repeat(4)
const patientOf = (patient: string, number: number, more: Partial<Registration> = {}): Registration => ({
  kind: 'patient',
  compartment: id(2 * number),
  audit: id(2 * number + 1),
  patient,
  ...more,
})

describe('the directory of who has which compartment', () => {
  it('finds thousands by name, by compartment and by audit, and takes less than 100 bytes for each', () => {
    const directory = new Directory()
    const patients = Array.from({ length: 20_000 }, (_, at) => (at % 100 === 0 ? `chosen-${at}` : randomUUID()))
    for (const [at, patient] of patients.entries()) directory.set(`patient/${patient}`, patientOf(patient, at + 1), 1)
    expect(directory.sizeBytes / patients.length).toBeLessThan(100)
    expect([directory.size, directory.count('patient')]).toEqual([20_000, 20_000])
    expect(directory.patients()).toEqual(patients)
    for (const at of [0, 1, 77, 100, 19_999]) {
      const [patient = '', data, audit] = [patients[at], id(2 * at + 2), id(2 * at + 3)]
      const pair = directory.pair(`patient/${patient}`, 'patient')
      expect(pair).toEqual({
        data: { compartment: data, kind: 'patient', patient },
        audit: { compartment: audit, kind: 'audit', patient },
      })
      expect(directory.pair(`patient/${patient}`, 'patient')).toBe(pair)
      expect(directory.holder(data)).toBe(pair?.data)
      expect(directory.holder(audit)).toBe(pair?.audit)
      expect(directory.auditOf(data)).toBe(pair?.audit)
      expect(directory.auditedBy(audit)).toEqual([data])
      expect(directory.registered(data)).toEqual({ name: `patient/${patient}`, revision: 1 })
    }
    expect(directory.pair(`patient/${randomUUID()}`, 'patient')).toBeUndefined()
    expect(directory.holder(id(3_000_000))).toBeUndefined()
  })

  it('keeps households with and without an account, and what is everybody’s', () => {
    const directory = new Directory()
    const account = randomUUID()
    const instance: Registration = { kind: 'instance', compartment: id(1), audit: id(1) }
    directory.set('instance', instance, 1)
    for (let shard = 0; shard < 16; shard++)
      directory.set(`commons/${shard}`, { kind: 'commons', compartment: id(10 + shard), audit: id(1) }, 1)
    directory.set('household', { kind: 'household', compartment: id(40), audit: id(1) }, 1)
    directory.set(`household/${account}`, { kind: 'household', compartment: id(41), audit: id(42), account }, 1)
    directory.set('household/aunt', { kind: 'household', compartment: id(43), audit: id(44), account: 'aunt' }, 1)
    expect(directory.pair('household', 'household')?.data).toEqual({ compartment: id(40), kind: 'household' })
    expect(directory.pair(`household/${account}`, 'household')?.audit).toMatchObject({ compartment: id(42), account })
    expect(directory.pair('household/aunt', 'household')?.data).toMatchObject({ compartment: id(43), account: 'aunt' })
    expect(directory.holder(id(1))).toEqual({ compartment: id(1), kind: 'audit' })
    expect(directory.auditedBy(id(1))).toHaveLength(18)
    expect(directory.count('household')).toBe(3)
  })

  it('says whether anything changed, and that a patient was merged, erased, or is somebody else’s compartment', () => {
    const directory = new Directory()
    const patient = randomUUID()
    const name = `patient/${patient}`
    expect(directory.set(name, patientOf(patient, 1), 1)).toBe(true)
    expect(directory.set(name, patientOf(patient, 1), 1)).toBe(false)
    expect(directory.set(name, patientOf(patient, 1, { mergedInto: 'other' }), 2)).toBe(true)
    expect([directory.mergedInto(name), directory.registered(id(2))?.revision]).toEqual(['other', 2])
    expect(directory.set(name, patientOf(patient, 7), 3)).toBe(true)
    expect(directory.mergedInto(name)).toBeUndefined()
    expect([directory.holder(id(2)), directory.holder(id(14))?.patient]).toEqual([undefined, patient])
    expect(directory.set(name, patientOf(patient, 7, { kind: 'erased' }), 4)).toBe(true)
    expect(directory.pair(name, 'patient')).toBeUndefined()
    expect(directory.pair(name, 'erased')?.data.compartment).toBe(id(14))
    expect(directory.holder(id(14))).toBeUndefined()
    // Their audit stays, and is nobody's.
    expect(directory.holder(id(15))).toEqual({ compartment: id(15), kind: 'audit' })
    expect(directory.pair(name, 'erased')?.audit).toEqual({ compartment: id(15), kind: 'audit' })
    expect([directory.count('patient'), directory.count('erased'), directory.size]).toEqual([0, 1, 1])
  })

  it('forgets whom nobody registers any more, but not who was erased', () => {
    const directory = new Directory()
    for (const number of [1, 2, 3]) directory.set(`patient/p${number}`, patientOf(`p${number}`, number), 1)
    directory.set('patient/p3', patientOf('p3', 3, { kind: 'erased' }), 2)
    expect(directory.keepOnly(new Set([id(2)]), directory.size)).toBe(true)
    expect(directory.keepOnly(new Set([id(2)]), directory.size)).toBe(false)
    expect(directory.patients()).toEqual(['p1'])
    expect([directory.pair('patient/p2', 'patient'), directory.holder(id(4))]).toEqual([undefined, undefined])
    expect(directory.pairs('erased')).toHaveLength(1)
    expect(directory.set('patient/p2', patientOf('p2', 2), 1)).toBe(true)
    expect(directory.patients()).toEqual(['p1', 'p2'])
  })

  it('forgets nobody who came while the registrations were being read', () => {
    const directory = new Directory()
    for (const number of [1, 2]) directory.set(`patient/p${number}`, patientOf(`p${number}`, number), 1)
    const before = directory.size
    directory.set('patient/p3', patientOf('p3', 3), 1)
    expect(directory.keepOnly(new Set([id(2)]), before)).toBe(true)
    expect(directory.patients()).toEqual(['p1', 'p3'])
  })

  it('is not set back by who read earlier and comes later', () => {
    const directory = new Directory()
    const [name, was] = ['patient/p1', patientOf('p1', 1)]
    directory.set(name, was, 1)
    directory.set(name, patientOf('p1', 1, { mergedInto: 'p2' }), 2)
    expect([directory.set(name, was, 1), directory.mergedInto(name)]).toEqual([false, 'p2'])
    directory.set(name, patientOf('p1', 1, { kind: 'erased' }), 3)
    expect([directory.set(name, was, 1), directory.set(name, was, 2)]).toEqual([false, false])
    expect([directory.pair(name, 'patient'), directory.holder(id(2))]).toEqual([undefined, undefined])
    expect(directory.count('erased')).toBe(1)
  })
})
